-- Published views for the Stripe sweep (REC-13), read by the reconciler's SELECT-only role. Barrier as in 0010.
--
-- Stripe events that reached booking, with what became of each. An event can stand in several rows. The inbox keeps ids
-- for INBOX_RETENTION_DAYS, facts and unapplied events are kept for ever. A dead letter's event id is read from its
-- packed headers (`chassis.messaging.message`): names are escaped there, so that no other name can look like ce_id.
-- 'escape' changes no byte of an id of Stripe, and never fails.
CREATE VIEW stripe_event_v1 WITH (security_barrier = true) AS
SELECT
    event_id,
    'received' AS outcome
FROM inbox
WHERE source = '/webhooks/stripe'
UNION ALL
SELECT
    event_id,
    'applied' AS outcome
FROM money_fact
WHERE provider = 'stripe'
UNION ALL
SELECT
    event_id,
    'unapplied' AS outcome
FROM unapplied_event
WHERE source = '/webhooks/stripe'
UNION ALL
SELECT
    event_id,
    'waiting' AS outcome
FROM thin_event
WHERE source = '/webhooks/stripe'
UNION ALL
SELECT
    encode(
        decode(substring(convert_from(headers, 'UTF8') FROM '\["ce_id","([A-Za-z0-9+/=]*)"\]'), 'base64'), 'escape'
    ) AS event_id,
    'set_aside' AS outcome
FROM dead_letter
WHERE consumer = 'booking' AND topic = 'webhooks.stripe.v1' AND status = 'waiting';

-- Payments of Stripe. row_id is in the order of recording (UUID version 7).
CREATE VIEW stripe_payment_v1 WITH (security_barrier = true) AS
SELECT
    payment_id AS row_id,
    provider_payment_id AS payment_id,
    booking_id,
    currency,
    captured,
    refunded,
    state,
    is_void,
    recorded_at
FROM payment
WHERE provider = 'stripe'
ORDER BY payment_id;

-- What events have said about objects of Stripe: one row for each fact (BK-7).
CREATE VIEW stripe_object_v1 WITH (security_barrier = true) AS
SELECT
    of_object.object_id,
    fact.kind,
    fact.state,
    fact.amount,
    fact.currency
FROM money_fact_object AS of_object
INNER JOIN money_fact AS fact ON of_object.fact_id = fact.fact_id AND of_object.object_id = fact.object_id
WHERE fact.provider = 'stripe';

GRANT SELECT ON stripe_event_v1, stripe_payment_v1, stripe_object_v1 TO reconciler_booking_view;
