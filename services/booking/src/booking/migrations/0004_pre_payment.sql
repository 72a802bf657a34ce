-- What providers captured, one row per payment of theirs, in minor units of the currency it was paid in.
-- A row with an anomaly counts for no booking: booking_id is the booking it named, if there is one.
CREATE TABLE payment (
    payment_id uuid PRIMARY KEY DEFAULT uuidv7(),
    booking_id uuid REFERENCES booking (booking_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
    booking_reference text,
    provider text NOT NULL,
    provider_payment_id text NOT NULL,
    event_id text NOT NULL,
    captured bigint NOT NULL CHECK (captured >= 0),
    refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    anomaly text CHECK (anomaly IN (
        'booking_cancelled', 'booking_unknown', 'currency_mismatch', 'booking_id_missing'
    )),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (provider, provider_payment_id),
    CHECK (booking_id IS NOT NULL OR anomaly IS NOT NULL)
);

CREATE INDEX payment_booking ON payment (booking_id, payment_id);

GRANT SELECT, INSERT ON payment TO booking;
