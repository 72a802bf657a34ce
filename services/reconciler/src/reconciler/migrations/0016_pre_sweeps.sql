-- Sweeps of Stripe's lists (REC-13). Cursor and counts move together, one page per transaction: a sweep whose process
-- died goes on where the last committed page ended.
CREATE TABLE sweep (
    -- Of a scheduled sweep, and of a repetition, derived: each is requested once however many replicas run.
    id uuid PRIMARY KEY,
    status text NOT NULL DEFAULT 'requested'
        CHECK (status IN ('requested', 'running', 'completed', 'failed')),
    trigger text NOT NULL CHECK (trigger IN ('schedule', 'retry', 'api', 'cli')),
    slot timestamptz CHECK ((trigger = 'schedule') = (slot IS NOT NULL)),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    since timestamptz,
    is_dry_run boolean NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    -- The window, set at the start (`reconciler.domain.sweep_windows`).
    events_since timestamptz,
    objects_since timestamptz,
    objects_until timestamptz,
    until timestamptz,
    -- Nothing lies unread between the last such sweep and this one: the next one may start at its end.
    is_gapless boolean NOT NULL DEFAULT false,
    -- Cursor (`reconciler.domain.sweeps.Cursor`), as JSON.
    position jsonb,
    -- Failed requests since the last page, why the last one failed, and when the next may be sent.
    attempts integer NOT NULL DEFAULT 0,
    error text,
    due_at timestamptz,
    -- Time of the oldest event that is pending: the next sweep starts there.
    pending_since timestamptz,
    seen bigint NOT NULL DEFAULT 0,
    known bigint NOT NULL DEFAULT 0,
    pending bigint NOT NULL DEFAULT 0,
    missed bigint NOT NULL DEFAULT 0,
    compared bigint NOT NULL DEFAULT 0,
    mismatches bigint NOT NULL DEFAULT 0,
    requests bigint NOT NULL DEFAULT 0,
    CHECK (seen = known + pending + missed),
    CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (status IN ('requested', 'failed') OR until IS NOT NULL)
);

CREATE UNIQUE INDEX sweep_one_running ON sweep (status) WHERE status = 'running';
CREATE INDEX sweep_queue ON sweep (requested_at, id) WHERE status IN ('requested', 'running');
CREATE INDEX sweep_newest ON sweep (requested_at DESC, id DESC);

-- Ids that a sweep has seen, so that an object that comes twice counts once. Deleted with the end of the sweep.
CREATE TABLE sweep_object (
    sweep_id uuid NOT NULL,
    object_id text NOT NULL,
    PRIMARY KEY (sweep_id, object_id)
);

-- What a sweep has found, also a dry one.
CREATE TABLE sweep_found (
    sweep_id uuid NOT NULL REFERENCES sweep (id) ON DELETE RESTRICT,
    fingerprint text NOT NULL,
    type text NOT NULL,
    severity text NOT NULL,
    booking_id text,
    object_id text NOT NULL,
    title text NOT NULL,
    PRIMARY KEY (sweep_id, fingerprint)
);

GRANT SELECT, INSERT, UPDATE ON sweep TO reconciler;
GRANT SELECT, INSERT, DELETE ON sweep_object TO reconciler;
GRANT SELECT, INSERT ON sweep_found TO reconciler;
