-- What people did about messages that were set aside (ALL-1): who, why, and what came of it. Append-only.
CREATE TABLE dead_letter_action (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id uuid NOT NULL REFERENCES dead_letter (dead_letter_id) ON DELETE RESTRICT,
    action text NOT NULL CHECK (action IN ('replayed', 'replay_failed', 'discarded')),
    actor text NOT NULL,
    reason text,
    error text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (action <> 'discarded' OR reason IS NOT NULL),
    CHECK ((action = 'replay_failed') = (error IS NOT NULL))
);

CREATE INDEX dead_letter_action_of_letter ON dead_letter_action (dead_letter_id, id);

CREATE TRIGGER dead_letter_action_rows
BEFORE UPDATE OR DELETE ON dead_letter_action
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER dead_letter_action_statements
BEFORE UPDATE OR DELETE OR TRUNCATE ON dead_letter_action
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE dead_letter_action ENABLE ALWAYS TRIGGER dead_letter_action_rows;
ALTER TABLE dead_letter_action ENABLE ALWAYS TRIGGER dead_letter_action_statements;
