-- Thin events about money whose object is still to be fetched from Stripe (BK-7b). A row goes in the transaction that
-- applies the object, or that reports why it cannot be fetched. No personal data: ids and names of types.
CREATE TABLE thin_event (
    source text NOT NULL,
    event_id text NOT NULL,
    -- As of a snapshot event: stripe.payment_intent.succeeded.
    event_type text NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    -- Seconds since the epoch, by the provider's clock.
    occurred_at bigint NOT NULL,
    -- Headers of the message that effects continue: correlation and trace.
    correlation_id text,
    traceparent text,
    attempts integer NOT NULL DEFAULT 0,
    -- A claimed row is due again after the claim, so that a killed process loses nothing.
    due_at timestamptz NOT NULL DEFAULT now(),
    -- Why the last attempt failed, in our own words.
    failure text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, event_id)
);

CREATE INDEX thin_event_due ON thin_event (due_at);

GRANT SELECT, DELETE ON thin_event TO booking;
GRANT INSERT (
    source, event_id, event_type, object_type, object_id, occurred_at, correlation_id, traceparent
) ON thin_event TO booking;
GRANT UPDATE (attempts, due_at, failure) ON thin_event TO booking;
