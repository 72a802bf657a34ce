-- The EventLog (AU-1): one row per event of every topic, never changed, never deleted. No personal data
-- stands here; payload_digest binds a row to its payload in event_payload (AU-6).
--
-- Sealing (AU-4) will number the entries in a table of its own: this one is never updated. entry_id says
-- nothing about the order of commits, so a sealer looks for entries without a leaf, and never for "id > last".
CREATE TABLE event_log (
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at timestamptz,
    event_type text NOT NULL,
    status text NOT NULL CHECK (status IN ('success', 'failed', 'skipped', 'pending')),
    source text NOT NULL,
    event_id text NOT NULL,
    booking_id text,
    actor text,
    error text,
    -- json and not jsonb: what is sealed is the text as it was written.
    metadata json NOT NULL,
    topic text NOT NULL,
    -- Kafka counts partitions in 32 bits.
    -- squawk-ignore prefer-bigint-over-int
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    correlation_id text,
    causation_id text,
    payload_digest bytea NOT NULL CHECK (octet_length(payload_digest) = 32),
    -- For ever: redelivery and replay add nothing. event_id first, because it is also searched by alone.
    UNIQUE (event_id, source)
);

-- The log is read newest first; each filter below keeps that order.
CREATE INDEX event_log_recorded ON event_log (recorded_at, entry_id);
CREATE INDEX event_log_type ON event_log (event_type, recorded_at, entry_id);
CREATE INDEX event_log_source ON event_log (source, recorded_at, entry_id);
CREATE INDEX event_log_booking ON event_log (booking_id, recorded_at, entry_id) WHERE booking_id IS NOT NULL;
-- Nearly all entries are successes: those are found without an index.
CREATE INDEX event_log_status ON event_log (status, recorded_at, entry_id) WHERE status <> 'success';

CREATE TRIGGER event_log_rows BEFORE UPDATE OR DELETE ON event_log
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_log_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON event_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event_log ENABLE ALWAYS TRIGGER event_log_rows;
ALTER TABLE event_log ENABLE ALWAYS TRIGGER event_log_statements;

GRANT SELECT, INSERT ON event_log TO audit;
GRANT SELECT ON schema_migration TO audit;
