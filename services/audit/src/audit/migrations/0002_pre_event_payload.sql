-- Payloads (AU-6): the only place with phone numbers, addresses and message texts. An entry holds
-- SHA-256(salt || body); once payload and salt are erased, that says nothing any more and still verifies.
-- subject: the booking, or else whatever the message names as its subject, for the erasure to find it by.
CREATE TABLE event_payload (
    entry_id bigint PRIMARY KEY REFERENCES event_log (entry_id) ON DELETE RESTRICT,
    subject text,
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    body bytea NOT NULL
) WITH (
    -- With the storage below: bodies of a webhook's size stay in the row, uncompressed. Compressing them
    -- would cost more than everything else that is done for an entry.
    toast_tuple_target = 8160
);
ALTER TABLE event_payload ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE INDEX event_payload_subject ON event_payload (subject) WHERE subject IS NOT NULL;

-- A payload is never changed, and erased only by the role that exists for it. No role of that name is made
-- here: until the erasure comes with it, nobody deletes.
CREATE FUNCTION refuse_change_of_payload() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'DELETE' AND current_user = 'audit_eraser' THEN
        RETURN old;
    END IF;
    RAISE EXCEPTION '% on %.% refused: payloads are only ever erased, by audit_eraser',
        tg_op, tg_table_schema, tg_table_name
        USING ERRCODE = 'insufficient_privilege';
END;
$$;

CREATE TRIGGER event_payload_rows BEFORE UPDATE OR DELETE ON event_payload
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_payload();
CREATE TRIGGER event_payload_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON event_payload
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_payload();
ALTER TABLE event_payload ENABLE ALWAYS TRIGGER event_payload_rows;
ALTER TABLE event_payload ENABLE ALWAYS TRIGGER event_payload_statements;

GRANT SELECT, INSERT ON event_payload TO audit;
