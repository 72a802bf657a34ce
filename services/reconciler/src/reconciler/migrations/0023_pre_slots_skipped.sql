-- Scheduled times that got no run of their own (REC-1). One row for each time that the schedule had stood still.
CREATE TABLE slots_skipped (
    first_slot timestamptz PRIMARY KEY,
    last_slot timestamptz NOT NULL,
    slots bigint NOT NULL,
    -- The run that reads everything in their stead.
    made_up_by uuid,
    noticed_at timestamptz NOT NULL
);

-- After a start, a process asks for the latest one.
CREATE INDEX slots_skipped_last ON slots_skipped (last_slot);

GRANT SELECT, INSERT ON slots_skipped TO reconciler;
