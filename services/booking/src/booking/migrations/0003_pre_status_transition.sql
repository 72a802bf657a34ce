-- The status history (BK-4), append-only by enforcement (BK-5): nobody has a grant to change it, the triggers
-- refuse everyone, also under session_replication_role = replica, and a booking with a history stays.
CREATE TABLE status_transition (
    transition_id uuid PRIMARY KEY DEFAULT uuidv7(),
    booking_id uuid NOT NULL REFERENCES booking (booking_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
    version bigint NOT NULL CHECK (version >= 1),
    from_status text,
    to_status text NOT NULL,
    changed_by text NOT NULL,
    reason text,
    metadata jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (booking_id, version),
    CHECK ((version = 1) = (from_status IS NULL))
);

CREATE TRIGGER status_transition_rows BEFORE UPDATE OR DELETE ON status_transition
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER status_transition_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON status_transition
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE status_transition ENABLE ALWAYS TRIGGER status_transition_rows;
ALTER TABLE status_transition ENABLE ALWAYS TRIGGER status_transition_statements;

GRANT SELECT, INSERT ON status_transition TO booking;
