-- Findings of sweeps across sweeps: what waits until booking has the event, and what is compared again (REC-13).
CREATE TABLE sweep_finding (
    fingerprint text PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('delivery_missed', 'payment_anomaly')),
    object_type text NOT NULL CHECK (object_type IN ('event', 'payment_intent', 'charge', 'refund')),
    object_id text NOT NULL,
    -- The sweep that found it last.
    sweep_id uuid NOT NULL,
    -- When its reason was gone; null while it is there.
    settled_at timestamptz
);

CREATE INDEX sweep_finding_open ON sweep_finding (type, fingerprint) WHERE settled_at IS NULL;

GRANT SELECT, INSERT, UPDATE (sweep_id, settled_at) ON sweep_finding TO reconciler;
