-- Facts about money (BK-7): what each event says about each object, as read from it, never changed. Payments, their
-- amounts and the booking's payment status are derived from them (`booking.domain.derivation`).
CREATE TABLE money_fact (
    fact_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    object_id text NOT NULL,
    state text NOT NULL,
    -- Seconds since the epoch, by the provider's clock.
    occurred_at bigint NOT NULL,
    object_created_at bigint,
    -- Minor units of the currency.
    amount bigint CONSTRAINT money_fact_amount_check CHECK (amount >= 0),
    currency text CONSTRAINT money_fact_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    refunded bigint CONSTRAINT money_fact_refunded_check CHECK (refunded >= 0),
    intents text[] NOT NULL,
    charge text,
    invoice text,
    -- The booking that the object names. Any other text stands in money_fact_reference, where it can be erased.
    booking_id uuid,
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (provider, event_id, kind, object_id),
    CHECK ((amount IS NULL) = (currency IS NULL))
);

CREATE INDEX money_fact_booking ON money_fact (booking_id) WHERE booking_id IS NOT NULL;

CREATE TABLE money_fact_reference (
    fact_id bigint PRIMARY KEY,
    booking_reference text NOT NULL
);

-- Each object that a fact is about or names, to find the facts that belong together.
CREATE TABLE money_fact_object (
    object_id text NOT NULL,
    fact_id bigint NOT NULL,
    PRIMARY KEY (object_id, fact_id)
);

-- One row for each object, locked while facts about it are applied: two sessions never derive one payment at once.
CREATE TABLE money_object (
    object_id text PRIMARY KEY
);

CREATE TRIGGER money_fact_rows BEFORE UPDATE OR DELETE ON money_fact
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER money_fact_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON money_fact
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE money_fact ENABLE ALWAYS TRIGGER money_fact_rows;
ALTER TABLE money_fact ENABLE ALWAYS TRIGGER money_fact_statements;

GRANT SELECT ON money_fact TO booking;
GRANT INSERT (
    provider, event_id, kind, object_id, state, occurred_at, object_created_at, amount, currency, refunded,
    intents, charge, invoice, booking_id, reason
) ON money_fact TO booking;
GRANT SELECT, INSERT ON money_fact_reference, money_fact_object TO booking;
-- FOR UPDATE needs the right to update a column.
GRANT SELECT, INSERT, UPDATE ON money_object TO booking;
GRANT SELECT, DELETE ON money_fact_reference TO booking_eraser;

-- A payment is derived: the service writes its row anew whenever a fact changes it. `refunded` includes what is on
-- its way (refund_pending); `lost` went back by a lost dispute. A void row's objects belong to another payment now.
ALTER TABLE payment ADD COLUMN state text NOT NULL DEFAULT 'succeeded'
    CONSTRAINT payment_state_check CHECK (state IN ('pending', 'failed', 'canceled', 'succeeded'));
ALTER TABLE payment ADD COLUMN refund_pending bigint NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN disputed bigint NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN lost bigint NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN reason text;
ALTER TABLE payment ADD COLUMN is_void boolean NOT NULL DEFAULT false;
ALTER TABLE payment ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

GRANT UPDATE (
    booking_id, booking_reference, event_id, captured, refunded, currency, anomaly, state, refund_pending, disputed,
    lost, reason, is_void, updated_at
) ON payment TO booking;

-- Anomalies of payments, each open until its reason is gone (BK-8).
CREATE TABLE payment_anomaly (
    provider text NOT NULL,
    payment_id text NOT NULL,
    kind text NOT NULL,
    -- The refund or dispute, where the anomaly is about one; else the payment.
    subject text NOT NULL,
    booking_id uuid,
    booking_reference text,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    PRIMARY KEY (provider, payment_id, kind, subject)
);

CREATE INDEX payment_anomaly_booking ON payment_anomaly (booking_id) WHERE resolved_at IS NULL;

GRANT SELECT, INSERT, UPDATE (booking_id, booking_reference, opened_at, resolved_at) ON payment_anomaly TO booking;
GRANT SELECT, UPDATE (booking_reference) ON payment_anomaly TO booking_eraser;

-- Payments recorded before this migration become facts: each was read from a succeeded payment intent.
INSERT INTO money_fact (
    provider, event_id, kind, object_id, state, occurred_at, amount, currency, intents, booking_id
)
SELECT
    provider, event_id, 'payment_intent', provider_payment_id, 'succeeded',
    extract(EPOCH FROM recorded_at)::bigint, captured, currency, '{}',
    coalesce(
        booking_id,
        CASE WHEN booking_reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN booking_reference::uuid END
    )
FROM payment;

INSERT INTO money_fact_reference (fact_id, booking_reference)
SELECT
    money_fact.fact_id,
    payment.booking_reference
FROM payment
INNER JOIN money_fact ON money_fact.object_id = payment.provider_payment_id AND money_fact.provider = payment.provider
WHERE payment.booking_reference IS NOT NULL AND money_fact.booking_id IS NULL;

INSERT INTO money_fact_object (object_id, fact_id)
SELECT
    object_id,
    fact_id
FROM money_fact;

INSERT INTO money_object (object_id)
SELECT DISTINCT object_id FROM money_fact;

INSERT INTO payment_anomaly (provider, payment_id, kind, subject, booking_id, booking_reference, opened_at)
SELECT
    provider,
    provider_payment_id,
    anomaly,
    provider_payment_id,
    booking_id,
    booking_reference,
    recorded_at
FROM payment
WHERE anomaly IS NOT NULL;
