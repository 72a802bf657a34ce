-- What `audit erase` and `audit retention` do as audit_eraser: delete payloads, append an entry that says so, and
-- rewrite the tables, because a deleted row's bytes stay in a table's file until the file is rewritten.
CREATE TABLE payload_rewrite (
    relation text PRIMARY KEY,
    -- The transaction that deleted rows: the file may be rewritten when no snapshot sees them any more.
    deleted_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

GRANT SELECT ON event_log, event_payload, event_rendering, payload_retention TO audit_eraser;
GRANT DELETE ON event_payload, event_rendering TO audit_eraser;
GRANT MAINTAIN ON event_rendering TO audit_eraser;
GRANT SELECT, INSERT, UPDATE, DELETE ON payload_rewrite TO audit_eraser;
GRANT SELECT ON payload_rewrite TO audit;

GRANT INSERT (
    event_type, status, source, event_id, booking_id, actor, error, metadata,
    occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
) ON event_log TO audit_eraser;
GRANT INSERT (entry_id, subject, salt, body, texts) ON event_payload TO audit_eraser;
GRANT EXECUTE ON FUNCTION record_time() TO audit_eraser;
