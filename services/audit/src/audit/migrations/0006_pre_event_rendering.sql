-- Further bodies of an event that say what the first one says and are written otherwise (BK-10a): kept whole,
-- each once. They are erased with the entry's payload, by audit_eraser alone.
CREATE TABLE event_rendering (
    entry_id bigint NOT NULL REFERENCES event_log (entry_id) ON DELETE RESTRICT,
    body_sha256 bytea NOT NULL CHECK (octet_length(body_sha256) = 32),
    body bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (entry_id, body_sha256)
);

CREATE TRIGGER event_rendering_rows BEFORE UPDATE OR DELETE ON event_rendering
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_payload();
CREATE TRIGGER event_rendering_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON event_rendering
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_payload();
ALTER TABLE event_rendering ENABLE ALWAYS TRIGGER event_rendering_rows;
ALTER TABLE event_rendering ENABLE ALWAYS TRIGGER event_rendering_statements;

GRANT SELECT ON event_rendering TO audit;
GRANT INSERT (entry_id, body_sha256, body) ON event_rendering TO audit;
