-- A reason that a person typed can name somebody. It stands beside the history, where it can be erased: the row of
-- the history stays as it is and says that there was a reason (ALL-8, docs/privacy.md). Reasons typed before this
-- migration stay where they are: status_transition is append-only.
-- Null in rows from before: a default would be a value that the service must not be able to choose.
ALTER TABLE status_transition ADD COLUMN is_reason_typed boolean;

-- Without a foreign key: rows of the history never go, and a reference would answer TRUNCATE before its trigger.
CREATE TABLE transition_reason (
    booking_id uuid NOT NULL,
    version bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (booking_id, version)
);

GRANT INSERT (is_reason_typed) ON status_transition TO booking;
GRANT SELECT, INSERT ON transition_reason TO booking;
GRANT INSERT (is_reason_typed) ON dead_letter_action TO booking;
GRANT SELECT, INSERT ON dead_letter_action_reason TO booking;

-- What an erasure may do, and nothing else. Nobody logs in as this role.
GRANT USAGE ON SCHEMA booking TO booking_eraser;
GRANT SELECT, DELETE ON transition_reason, dead_letter_action_reason TO booking_eraser;
GRANT SELECT, UPDATE (client_name, client_phone, client_email, pets, notes) ON booking TO booking_eraser;
GRANT SELECT, UPDATE (booking_reference) ON payment TO booking_eraser;
GRANT SELECT, UPDATE (key, value, headers, error) ON dead_letter TO booking_eraser;
