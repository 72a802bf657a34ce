-- Findings of dry runs. They are no exceptions: nobody works them, and they are deleted after some weeks.
CREATE TABLE run_finding (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    run_id uuid NOT NULL REFERENCES run (id) ON DELETE RESTRICT,
    booking_id text,
    type text NOT NULL,
    drift_class text,
    severity text NOT NULL CHECK (severity IN ('high', 'medium', 'low')),
    severity_rank bigint NOT NULL GENERATED ALWAYS AS (
        CASE severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END
    ) STORED,
    fingerprint text NOT NULL,
    title text NOT NULL,
    explanation jsonb NOT NULL,
    currency text,
    amount numeric,
    waiting text
);

CREATE INDEX run_finding_order ON run_finding (run_id, severity_rank, id);

GRANT SELECT, DELETE ON run_finding TO reconciler;
GRANT INSERT (
    run_id, booking_id, type, drift_class, severity, fingerprint, title, explanation, currency, amount, waiting
) ON run_finding TO reconciler;
