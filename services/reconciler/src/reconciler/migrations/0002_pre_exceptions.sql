-- The exception queue (REC-8): what a person must look at.
CREATE TABLE exception (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    drift_class text CHECK ((type = 'pricing_drift') = (drift_class IS NOT NULL)),
    severity text NOT NULL CHECK (severity IN ('high', 'medium', 'low')),
    severity_rank bigint NOT NULL GENERATED ALWAYS AS (
        CASE severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END
    ) STORED,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
    booking_id text,
    -- What makes it the same problem when it is seen again; `difference` makes a revision of it.
    fingerprint text NOT NULL,
    difference text NOT NULL,
    title text NOT NULL,
    explanation jsonb NOT NULL,
    occurrences bigint NOT NULL DEFAULT 1,
    revision bigint NOT NULL DEFAULT 1,
    assignee text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    last_run_id uuid,
    resolved_at timestamptz,
    resolution text,
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL AND resolution IS NOT NULL))
);

-- At most one that is not resolved, whoever sees it and however many at once.
CREATE UNIQUE INDEX exception_one_unresolved ON exception (type, booking_id, fingerprint)
    NULLS NOT DISTINCT WHERE status <> 'resolved';
CREATE INDEX exception_unresolved_booking ON exception (booking_id) WHERE status <> 'resolved';
CREATE INDEX exception_work_order ON exception (severity_rank, first_seen_at, id);

-- What happened to an exception, with actor and reason, for ever (REC-9).
CREATE TABLE exception_event (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    exception_id uuid NOT NULL REFERENCES exception (id) ON DELETE RESTRICT,
    kind text NOT NULL CHECK (kind IN ('opened', 'revised', 'resolved')),
    revision bigint NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    run_id uuid,
    explanation jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX exception_event_exception ON exception_event (exception_id, id);

CREATE TRIGGER exception_event_rows BEFORE UPDATE OR DELETE ON exception_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER exception_event_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON exception_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE exception_event ENABLE ALWAYS TRIGGER exception_event_rows;
ALTER TABLE exception_event ENABLE ALWAYS TRIGGER exception_event_statements;

GRANT SELECT, INSERT, UPDATE ON exception TO reconciler;
GRANT SELECT, INSERT ON exception_event TO reconciler;
