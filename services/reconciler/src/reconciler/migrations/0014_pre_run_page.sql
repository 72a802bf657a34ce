-- Records of each page beside the totals in run and run_sum. A run is completed only if both agree (REC-7).
CREATE TABLE run_page (
    run_id uuid NOT NULL REFERENCES run (id) ON DELETE RESTRICT,
    page bigint NOT NULL,
    -- The page's place in the walk: NULL before the first booking.
    after_booking_id uuid,
    last_booking_id uuid NOT NULL,
    -- Rows that the view returned; the outcomes below are counted apart from it.
    scanned bigint NOT NULL,
    clean bigint NOT NULL,
    drifted bigint NOT NULL,
    skipped bigint NOT NULL,
    errored bigint NOT NULL,
    PRIMARY KEY (run_id, page)
);

-- Sums of a page by outcome, in minor units. numeric: damaged amounts may be of any size.
CREATE TABLE run_page_sum (
    run_id uuid NOT NULL,
    page bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('clean', 'drifted', 'skipped')),
    currency text NOT NULL,
    snapshot numeric NOT NULL,
    recomputed numeric NOT NULL,
    charged numeric NOT NULL,
    -- Added up from the drifts of single bookings.
    drift numeric NOT NULL,
    PRIMARY KEY (run_id, page, outcome, currency),
    FOREIGN KEY (run_id, page) REFERENCES run_page (run_id, page) ON DELETE CASCADE
);

-- A run that was checked or cancelled does not need them any more. Those of a failed run are kept.
GRANT SELECT, INSERT, DELETE ON run_page TO reconciler;
GRANT SELECT, INSERT ON run_page_sum TO reconciler;
