-- squawk-ignore-file constraint-missing-not-valid, ban-drop-constraint
-- (The table is small: bad messages are few.)
--
-- Why somebody discarded or replayed a message is text of a person. It stands beside the append-only record of it,
-- where it can be erased; the record says that there was one. What was typed before stays where it is.
ALTER TABLE dead_letter_action ADD COLUMN is_reason_typed boolean;
ALTER TABLE dead_letter_action ADD CONSTRAINT dead_letter_action_discarded_with_reason
CHECK (action <> 'discarded' OR reason IS NOT NULL OR is_reason_typed IS TRUE);
ALTER TABLE dead_letter_action DROP CONSTRAINT dead_letter_action_check;

-- Without a foreign key: records never go, and a reference would answer TRUNCATE before its trigger.
CREATE TABLE dead_letter_action_reason (
    action_id bigint PRIMARY KEY,
    reason text NOT NULL
);
