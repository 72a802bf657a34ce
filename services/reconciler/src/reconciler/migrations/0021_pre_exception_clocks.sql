-- squawk-ignore-file require-concurrent-index-creation
-- Overdue exceptions that were published, once per round of work (REC-9c). A round ends with a resolution that is not
-- taken back: `round` is the version of the last one before it, 0 if there is none.
CREATE TABLE exception_overdue (
    exception_id uuid NOT NULL REFERENCES exception (id) ON DELETE RESTRICT,
    clock text NOT NULL CONSTRAINT exception_overdue_clock CHECK (clock IN ('acknowledge', 'resolve')),
    round bigint NOT NULL,
    noticed_at timestamptz NOT NULL,
    PRIMARY KEY (exception_id, clock)
);

-- Up to where times to acknowledge and to resolve were counted in histograms. One row: one replica counts at a time.
CREATE TABLE exception_clock_reader (
    observed_until timestamptz NOT NULL
);
CREATE UNIQUE INDEX exception_clock_reader_one ON exception_clock_reader ((true));
INSERT INTO exception_clock_reader (observed_until) VALUES (now());

CREATE INDEX exception_event_ended ON exception_event (recorded_at) WHERE kind IN ('acknowledged', 'resolved');

GRANT SELECT, INSERT, UPDATE ON exception_overdue TO reconciler;
GRANT SELECT, UPDATE ON exception_clock_reader TO reconciler;
