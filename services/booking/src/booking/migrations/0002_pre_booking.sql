-- One row per booking: what was asked for, its price, and the state that its events have brought it to.
-- Personal data (client_*, pets, notes) stand here and nowhere else.
CREATE TABLE booking (
    booking_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('pending', 'confirmed', 'in_progress', 'completed', 'cancelled')),
    payment_status text NOT NULL CHECK (payment_status IN (
        'unpaid', 'partially_paid', 'paid', 'overpaid', 'partially_refunded', 'refunded', 'disputed'
    )),
    -- version counts everything that happened, transitions the rows of status_transition.
    version bigint NOT NULL CHECK (version >= 1),
    transitions bigint NOT NULL CHECK (transitions BETWEEN 1 AND version),
    service text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Money is in minor units of the currency. Sums over the rows of payment without an anomaly.
    total bigint NOT NULL CHECK (total >= 0),
    captured bigint NOT NULL DEFAULT 0 CHECK (captured >= 0),
    refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    is_disputed boolean NOT NULL DEFAULT false,
    -- The snapshot (BK-6). A booking without one is never reconciled (REC-2).
    pricing jsonb,
    client_name text NOT NULL,
    client_phone text NOT NULL,
    client_email text,
    pets jsonb NOT NULL,
    visits jsonb NOT NULL,
    notes text,
    holiday boolean,
    -- The key that the caller gave, and the digest of what it asked for under it (BK-3).
    idempotency_key text UNIQUE,
    request_sha256 bytea NOT NULL,
    -- Of the transaction, so that both are the same in a new row.
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz
);

CREATE INDEX booking_status ON booking (status, booking_id);

-- Column by column: neither price nor request can be changed by the service as it is now.
GRANT SELECT, INSERT ON booking TO booking;
GRANT UPDATE (
    status, payment_status, version, transitions, captured, refunded, is_disputed, updated_at, confirmed_at
) ON booking TO booking;
