-- Events that tell of money and change nothing here: of another Stripe mode or account, or without their object
-- (BK-7a, BK-7b). Each is reported once. None stands in the inbox: once settings or the endpoint are right, the
-- provider may send the same event again, and it is applied.
CREATE TABLE unapplied_event (
    source text NOT NULL,
    event_id text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, event_id, reason)
);

GRANT SELECT ON unapplied_event TO booking;
GRANT INSERT (source, event_id, reason) ON unapplied_event TO booking;
