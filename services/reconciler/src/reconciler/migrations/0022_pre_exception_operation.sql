-- squawk-ignore-file require-concurrent-index-creation
-- Bulk operations on exceptions (REC-9b). Counts and outcomes change in the transaction of the steps, so that a killed
-- process loses and doubles none.
CREATE TABLE exception_operation (
    id uuid PRIMARY KEY,
    action text NOT NULL
    CHECK (action IN ('acknowledge', 'assign', 'resolve', 'reopen', 'suppress', 'comment')),
    -- The body of the single step, without the text that a person typed.
    arguments jsonb NOT NULL,
    -- {"filter": {…}} or {"ids": […]}, as requested. Once the operation has started, its items count.
    selection jsonb NOT NULL,
    actor text NOT NULL,
    -- A reason or a comment was typed; it stands apart.
    has_reason boolean NOT NULL,
    status text NOT NULL
    CHECK (status IN ('planned', 'applying', 'applied', 'reverting', 'reverted', 'failed')),
    -- Of the dry run; then of the exceptions that the operation started with. Sums by currency, in minor units.
    planned_count bigint NOT NULL,
    sums jsonb NOT NULL,
    without_amount bigint NOT NULL,
    -- Null: the operation was applied without a dry run.
    token_sha256 bytea,
    token_expires_at timestamptz,
    stepped bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    reverted bigint NOT NULL DEFAULT 0,
    not_reverted bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    reverted_by text,
    revert_started_at timestamptz,
    revert_finished_at timestamptz,
    -- When a batch of it was last worked on: operations take turns.
    worked_at timestamptz,
    -- Attempts at the present batch that failed, and why the last one did.
    attempts bigint NOT NULL DEFAULT 0,
    error text,
    CONSTRAINT exception_operation_accounted CHECK (
        least(stepped, unchanged, refused, reverted, not_reverted) >= 0
        AND stepped + unchanged + refused + reverted + not_reverted <= planned_count
    )
);

CREATE INDEX exception_operation_newest ON exception_operation (created_at DESC, id DESC);
CREATE INDEX exception_operation_work ON exception_operation (worked_at) WHERE status IN ('applying', 'reverting');

CREATE TABLE exception_operation_item (
    operation_id uuid NOT NULL REFERENCES exception_operation (id) ON DELETE RESTRICT,
    exception_id uuid NOT NULL,
    outcome text NOT NULL DEFAULT 'pending'
    CHECK (outcome IN ('pending', 'stepped', 'unchanged', 'refused', 'reverted', 'not_reverted')),
    -- Kind of the step, or why there was none.
    detail text,
    -- Of the exception after the last step.
    version bigint,
    decided_at timestamptz,
    PRIMARY KEY (operation_id, exception_id)
);

CREATE INDEX exception_operation_item_outcome ON exception_operation_item (operation_id, outcome, exception_id);

-- What a person typed: why an operation was applied or taken back, or the text of its comments (ALL-8).
CREATE TABLE exception_operation_reason (
    operation_id uuid NOT NULL,
    step text NOT NULL CHECK (step IN ('apply', 'revert')),
    reason text NOT NULL,
    PRIMARY KEY (operation_id, step)
);

-- An operation steps an exception once, and takes the step back once.
CREATE UNIQUE INDEX exception_event_operation ON exception_event (operation_id, exception_id, (kind = 'reverted'))
WHERE operation_id IS NOT NULL;

GRANT SELECT, INSERT ON exception_operation TO reconciler;
GRANT UPDATE (
    status, planned_count, sums, without_amount, stepped, unchanged, refused, reverted, not_reverted, started_at,
    finished_at, reverted_by, revert_started_at, revert_finished_at, worked_at, attempts, error
) ON exception_operation TO reconciler;
GRANT SELECT, INSERT ON exception_operation_item TO reconciler;
GRANT UPDATE (outcome, detail, version, decided_at) ON exception_operation_item TO reconciler;
GRANT SELECT, INSERT ON exception_operation_reason TO reconciler;
GRANT SELECT, DELETE ON exception_operation_reason TO reconciler_eraser;
-- A filter can hold a name.
GRANT SELECT (id, selection), UPDATE (selection) ON exception_operation TO reconciler_eraser;
