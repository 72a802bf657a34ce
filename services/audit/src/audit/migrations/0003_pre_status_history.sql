-- Booking status history (AU-2), one row per booking and version. A version that comes before its
-- predecessors is kept and shown once they are there. Reason and metadata of a transition may hold personal
-- data: they are read from the entry's payload and so vanish with it.
CREATE TABLE status_history (
    booking_id text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    from_status text,
    to_status text NOT NULL,
    changed_by text NOT NULL,
    -- By booking's database clock; when it was recorded here stands in the entry.
    recorded_at timestamptz NOT NULL,
    entry_id bigint NOT NULL UNIQUE REFERENCES event_log (entry_id) ON DELETE RESTRICT,
    PRIMARY KEY (booking_id, version)
);

CREATE TRIGGER status_history_rows BEFORE UPDATE OR DELETE ON status_history
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER status_history_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON status_history
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE status_history ENABLE ALWAYS TRIGGER status_history_rows;
ALTER TABLE status_history ENABLE ALWAYS TRIGGER status_history_statements;

GRANT SELECT, INSERT ON status_history TO audit;
