-- What a run reads, whether it writes to the queue, who cancelled it, and how far it has come (REC-1, REC-7).
ALTER TABLE run
    -- all, booking:<id>, since:<time> or month:<year>-<month>.
    ADD COLUMN scope text NOT NULL DEFAULT 'all',
    -- A dry run writes its findings into run_finding, and none of them into the queue.
    ADD COLUMN is_dry_run boolean NOT NULL DEFAULT false,
    ADD COLUMN cancelled_by text,
    ADD COLUMN cancel_requested_at timestamptz,
    -- Bookings that the pages have passed, with those outside of the scope.
    ADD COLUMN passed bigint NOT NULL DEFAULT 0,
    ADD COLUMN page_committed_at timestamptz,
    -- The planner's estimate of the bookings to pass, taken when the run began.
    ADD COLUMN estimated_bookings bigint,
    -- Committed pages. NULL: the run began before its pages were recorded one by one.
    ADD COLUMN pages bigint;
