-- One row per reconciliation run (REC-7). Counters and cursor move together, one page per transaction, so
-- that whoever takes over a run after a crash goes on where the last committed page ended (REC-11).
CREATE TABLE run (
    -- Of a scheduled run it is derived from the slot, so that a slot has one run.
    id uuid PRIMARY KEY,
    status text NOT NULL DEFAULT 'requested'
        CHECK (status IN ('requested', 'running', 'completed', 'failed', 'cancelled')),
    trigger text NOT NULL CHECK (trigger IN ('schedule', 'api', 'cli')),
    slot timestamptz CHECK ((trigger = 'schedule') = (slot IS NOT NULL)),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    -- When the command came back from Kafka: from then on the run may start.
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    attempts bigint NOT NULL DEFAULT 0,
    after_booking_id uuid,
    scanned bigint NOT NULL DEFAULT 0,
    clean bigint NOT NULL DEFAULT 0,
    drifted bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    errored bigint NOT NULL DEFAULT 0,
    error text,
    CHECK (scanned = clean + drifted + skipped + errored)
);

-- Runs follow one another: two at once would read and write the same exceptions for nothing.
CREATE UNIQUE INDEX run_one_running ON run (status) WHERE status = 'running';
CREATE INDEX run_queue ON run (requested_at, id) WHERE status IN ('requested', 'running');
CREATE INDEX run_newest ON run (requested_at DESC, id DESC);

-- Sums over the bookings a run evaluated, in minor units. numeric: damaged amounts may be of any size.
CREATE TABLE run_sum (
    run_id uuid NOT NULL REFERENCES run (id) ON DELETE RESTRICT,
    currency text NOT NULL,
    snapshot numeric NOT NULL,
    recomputed numeric NOT NULL,
    charged numeric NOT NULL,
    PRIMARY KEY (run_id, currency)
);

-- Since when a schedule is in force: slots before that were never missed.
CREATE TABLE schedule (
    cron text NOT NULL,
    time_zone text NOT NULL,
    in_force_since timestamptz NOT NULL,
    PRIMARY KEY (cron, time_zone)
);

GRANT SELECT, INSERT, UPDATE ON run, run_sum TO reconciler;
GRANT SELECT, INSERT ON schedule TO reconciler;
