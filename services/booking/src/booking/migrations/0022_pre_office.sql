-- What the office changes and searches (BK-6, BK-16): details and price of a booking, by client, phone or day.
GRANT UPDATE (
    service, starts_at, ends_at, currency, total, pricing, client_name, client_phone, client_email, pets, visits, notes,
    holiday
) ON booking TO booking;
-- The reason of an override is a person's text inside the snapshot.
GRANT UPDATE (pricing) ON booking TO booking_eraser;

-- Both are built within the transaction: a company's bookings are few enough that writers wait for seconds at most.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX booking_client_phone ON booking (client_phone, booking_id);
-- Bookings that touch a day: few end after a day near today. A part of a name has no index.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX booking_days ON booking (ends_at, starts_at);

-- The price is frozen at confirmation (BK-6): the service changes it only while the booking is pending, or together with
-- an override. Other roles may: a price that was changed by hand is what a reconciliation run finds.
CREATE FUNCTION keep_price_frozen() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'price of booking % is frozen: it is %', old.booking_id, old.status
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Set an override with its reason, or set the booking back to pending.';
END;
$$;

CREATE TRIGGER booking_price_frozen BEFORE UPDATE OF total, pricing, currency ON booking
    FOR EACH ROW
    WHEN (
        current_user = 'booking'
        AND old.status <> 'pending'
        AND (old.total, old.currency, old.pricing) IS DISTINCT FROM (new.total, new.currency, new.pricing)
        AND (
            coalesce(new.pricing -> 'override', 'null') = 'null'
            OR new.pricing -> 'override' = old.pricing -> 'override'
        )
    )
    EXECUTE FUNCTION keep_price_frozen();
