-- Revisions (BK-14): status, price and payments of a booking as each transaction left them. The trigger writes them,
-- so that hand-written SQL leaves one too, and nobody has a grant to write one. No personal data: the reason of a
-- price override is left out.
CREATE TABLE booking_revision (
    -- Increases within a booking: the row of the booking is locked until its revision is written.
    revision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking_id uuid NOT NULL,
    version bigint,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The first revision of a booking from before this migration: nothing older is known.
    is_first_known boolean NOT NULL,
    -- The database role that made the change; another one than the service's tells of hand-written SQL.
    written_by text NOT NULL,
    status text,
    payment_status text,
    currency text,
    -- Money is in minor units of the currency.
    total bigint,
    captured bigint,
    refunded bigint,
    is_disputed boolean,
    pricing jsonb,
    payments jsonb NOT NULL
);

CREATE INDEX booking_revision_booking ON booking_revision (booking_id, revision_id);

CREATE TRIGGER booking_revision_rows BEFORE UPDATE OR DELETE ON booking_revision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER booking_revision_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON booking_revision
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE booking_revision ENABLE ALWAYS TRIGGER booking_revision_rows;
ALTER TABLE booking_revision ENABLE ALWAYS TRIGGER booking_revision_statements;

GRANT SELECT ON booking_revision TO booking;

-- The state of a booking, in the columns of a revision.
CREATE VIEW booking_state AS
SELECT
    booking.booking_id,
    booking.version,
    booking.status,
    booking.payment_status,
    booking.currency,
    booking.total,
    booking.captured,
    booking.refunded,
    booking.is_disputed,
    CASE
        WHEN jsonb_typeof(booking.pricing -> 'override') = 'object' THEN booking.pricing #- '{override,reason}'
        ELSE booking.pricing
    END AS pricing,
    coalesce(
        (
            SELECT
                jsonb_agg(
                    jsonb_build_object(
                        'id', payment.payment_id,
                        'provider', payment.provider,
                        'provider_payment_id', payment.provider_payment_id,
                        'state', payment.state,
                        'currency', payment.currency,
                        'captured', payment.captured,
                        'refunded', payment.refunded,
                        'disputed', payment.disputed,
                        'lost', payment.lost,
                        'anomaly', payment.anomaly
                    )
                    ORDER BY payment.payment_id
                )
            FROM payment
            WHERE payment.booking_id = booking.booking_id AND NOT payment.is_void
        ),
        '[]'
    ) AS payments
FROM booking;

-- Runs at commit, when the payments of the transaction are written too. Later calls for the same booking in the same
-- transaction find its state recorded.
CREATE FUNCTION record_revision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = booking, pg_temp AS $$
DECLARE
    now_state booking_state;
    last booking_revision;
BEGIN
    SELECT * INTO now_state FROM booking_state WHERE booking_id = NEW.booking_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO last FROM booking_revision WHERE booking_id = NEW.booking_id ORDER BY revision_id DESC LIMIT 1;
    IF (last.version, last.status, last.payment_status, last.currency, last.total, last.captured, last.refunded,
        last.is_disputed, last.pricing, last.payments)
        IS DISTINCT FROM (now_state.version, now_state.status, now_state.payment_status, now_state.currency,
        now_state.total, now_state.captured, now_state.refunded, now_state.is_disputed, now_state.pricing,
        now_state.payments)
    THEN
        INSERT INTO booking_revision (
            booking_id, version, is_first_known, written_by, status, payment_status, currency, total, captured,
            refunded, is_disputed, pricing, payments
        ) VALUES (
            now_state.booking_id, now_state.version, false, session_user, now_state.status, now_state.payment_status,
            now_state.currency, now_state.total, now_state.captured, now_state.refunded, now_state.is_disputed,
            now_state.pricing, now_state.payments
        );
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER booking_revision AFTER INSERT OR UPDATE OF
    status, payment_status, version, currency, total, captured, refunded, is_disputed, pricing ON booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION record_revision();
ALTER TABLE booking ENABLE ALWAYS TRIGGER booking_revision;

INSERT INTO booking_revision (
    booking_id, version, is_first_known, written_by, status, payment_status, currency, total, captured, refunded,
    is_disputed, pricing, payments
)
SELECT
    booking_id, version, true, 'migration', status, payment_status, currency, total, captured, refunded, is_disputed,
    pricing, payments
FROM booking_state
ORDER BY booking_id;

-- The booking's version after the transition. Null in rows from before: the id of their event is not known. The event
-- of a row with a version has the row's id.
ALTER TABLE status_transition ADD COLUMN booking_version bigint;
GRANT INSERT (booking_version) ON status_transition TO booking;

-- Bookings that were imported (BK-15): marked for ever, and known again by the id that they had elsewhere.
CREATE TABLE imported_booking (
    booking_id uuid PRIMARY KEY,
    external_id text NOT NULL UNIQUE,
    imported_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER imported_booking_rows BEFORE UPDATE OR DELETE ON imported_booking
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER imported_booking_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON imported_booking
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE imported_booking ENABLE ALWAYS TRIGGER imported_booking_rows;
ALTER TABLE imported_booking ENABLE ALWAYS TRIGGER imported_booking_statements;

GRANT SELECT, INSERT (booking_id, external_id) ON imported_booking TO booking;
