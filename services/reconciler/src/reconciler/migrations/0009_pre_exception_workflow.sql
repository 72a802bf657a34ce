-- squawk-ignore-file ban-drop-constraint, require-concurrent-index-creation
-- The workflow of exceptions (REC-8, REC-9, REC-9a, REC-9c). One row per fingerprint from now on: an exception that
-- comes back is opened again, with its past. The queue is small enough to be locked for its indexes.
CREATE SEQUENCE exception_evidence AS bigint;
GRANT USAGE ON SEQUENCE exception_evidence TO reconciler;

ALTER TABLE exception
    -- An older exception of the same fingerprint, from before a resolved one was opened again.
    ADD COLUMN superseded boolean NOT NULL DEFAULT false,
    -- Raised by every step of the history.
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    -- Number of the newest evidence: a read that saw it, or a person's judgement. What is older arrives late.
    ADD COLUMN evidence bigint NOT NULL DEFAULT 0,
    -- What is at stake, signed, in minor units of `currency`; numeric: damaged amounts may be of any size.
    ADD COLUMN currency text,
    ADD COLUMN amount numeric,
    -- The cause, beside type, class and sign of the amount.
    ADD COLUMN line text,
    ADD COLUMN rate_card text,
    ADD COLUMN engine text,
    -- What it waits for by itself; null if a person has to act.
    ADD COLUMN waiting text CONSTRAINT exception_waiting CHECK (waiting IN ('first_charge', 'refund', 'money')),
    ADD COLUMN opened_at timestamptz,
    ADD COLUMN regressions bigint NOT NULL DEFAULT 0,
    ADD COLUMN escalated_at timestamptz,
    ADD COLUMN suppressed_until timestamptz,
    ADD COLUMN suppressed_beyond numeric,
    ADD COLUMN suppressed_occurrences bigint,
    ADD COLUMN proposed_resolution text,
    ADD COLUMN proposed_by text,
    ADD COLUMN proposed_up_to numeric,
    ADD COLUMN resolved_by text,
    ADD COLUMN resolved_by_machine boolean,
    ADD COLUMN resolved_up_to numeric,
    -- What a person saw when they acknowledged or suppressed.
    ADD COLUMN baseline_severity text,
    ADD COLUMN baseline_size numeric,
    ADD COLUMN baseline_occurrences bigint,
    -- Time counted until clock_running_since, which is null while the clock stands still.
    ADD COLUMN clock_counted interval NOT NULL DEFAULT '0',
    ADD COLUMN clock_running_since timestamptz,
    ADD COLUMN acknowledged_after interval,
    ADD COLUMN resolved_after interval;

UPDATE exception SET
    opened_at = first_seen_at,
    clock_running_since = CASE WHEN status <> 'resolved' THEN first_seen_at END,
    resolved_by = CASE WHEN status = 'resolved' THEN 'reconciler' END,
    resolved_by_machine = CASE WHEN status = 'resolved' THEN true END,
    superseded = EXISTS (
        SELECT FROM exception AS newer
        WHERE newer.fingerprint = exception.fingerprint
            AND newer.id <> exception.id
            AND (newer.status <> 'resolved', newer.first_seen_at, newer.id)
            > (exception.status <> 'resolved', exception.first_seen_at, exception.id)
    );

-- A value is added to the list: the check is replaced by its successor, which the rows are known to pass.
ALTER TABLE exception DROP CONSTRAINT exception_status_check;
ALTER TABLE exception ADD CONSTRAINT exception_status
CHECK (status IN ('open', 'acknowledged', 'suppressed', 'resolved')) NOT VALID;

CREATE INDEX exception_fingerprint ON exception (fingerprint) WHERE NOT superseded;
CREATE INDEX exception_suppressed ON exception (suppressed_until) WHERE status = 'suppressed';

ALTER TABLE exception_event
    -- Of the exception after the step.
    ADD COLUMN version bigint,
    -- What the step sets.
    ADD COLUMN details jsonb,
    -- The workflow before a person's step, which a reverting step restores.
    ADD COLUMN workflow_before jsonb,
    ADD COLUMN operation_id uuid,
    ADD COLUMN is_reason_typed boolean;

ALTER TABLE exception_event DROP CONSTRAINT exception_event_kind_check;
ALTER TABLE exception_event ADD CONSTRAINT exception_event_kind CHECK (
    kind IN (
        'waits', 'opened', 'revised', 'escalated', 'regressed', 'woke', 'acknowledged', 'assigned', 'suppressed',
        'proposed', 'resolved', 'reopened', 'commented', 'reverted'
    )
) NOT VALID;

-- No step is recorded twice.
CREATE UNIQUE INDEX exception_event_version ON exception_event (exception_id, version);

-- A reason that a person typed can name somebody: it stands beside the history, where it can be erased (ALL-8).
CREATE TABLE exception_event_reason (
    exception_id uuid NOT NULL,
    version bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (exception_id, version)
);

GRANT INSERT (version, details, workflow_before, operation_id, is_reason_typed) ON exception_event TO reconciler;
GRANT SELECT, INSERT ON exception_event_reason TO reconciler;
GRANT SELECT, DELETE ON exception_event_reason TO reconciler_eraser;
