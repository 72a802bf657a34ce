-- The published view gains what reconciliation could not see before (REC-2, BK-8): cancelled bookings that hold
-- money, bookings whose snapshot is gone, bookings of a status that does not exist, payments that contradict
-- themselves. Columns are only added. A sum beyond bigint is NULL instead of an error that hides a whole page.
-- cancelled_at: when the booking was cancelled; NULL for others. held: captured - refunded over the payments without
-- an anomaly, in any currency; those with one have an exception of their own. contradictory_payments: negative,
-- or refunded beyond what was captured. Barrier and order as in 0010.
CREATE OR REPLACE VIEW reconciliation_v1 WITH (security_barrier = true) AS
SELECT
    booking.booking_id,
    booking.status,
    booking.payment_status,
    booking.version,
    booking.service,
    booking.currency,
    booking.total,
    booking.pricing,
    CASE WHEN abs(charge.captured) <= 9223372036854775807 THEN charge.captured::bigint END AS captured,
    CASE WHEN abs(charge.refunded) <= 9223372036854775807 THEN charge.refunded::bigint END AS refunded,
    charge.charge_count,
    charge.payment_currencies,
    booking.starts_at,
    booking.created_at,
    booking.confirmed_at,
    CASE WHEN booking.status = 'cancelled' THEN coalesce(
        (
            SELECT max(transition.recorded_at)
            FROM status_transition AS transition
            WHERE transition.booking_id = booking.booking_id AND transition.to_status = 'cancelled'
        ),
        booking.updated_at
    ) END AS cancelled_at,
    charge.held,
    charge.contradictory_payments
FROM booking
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(payment.captured) FILTER (WHERE payment.currency = booking.currency), 0) AS captured,
        coalesce(sum(payment.refunded) FILTER (WHERE payment.currency = booking.currency), 0) AS refunded,
        count(*)::integer AS charge_count,
        coalesce(array_agg(DISTINCT payment.currency), '{}') AS payment_currencies,
        coalesce(
            sum(payment.captured::numeric - payment.refunded) FILTER (WHERE payment.anomaly IS NULL), 0
        ) AS held,
        (
            count(*) FILTER (
                WHERE (payment.captured >= 0 AND payment.refunded BETWEEN 0 AND payment.captured) IS NOT TRUE
            )
        )::integer AS contradictory_payments
    FROM payment
    WHERE payment.booking_id = booking.booking_id
) AS charge
WHERE booking.status IS DISTINCT FROM 'pending'
    AND (
        booking.status IS DISTINCT FROM 'cancelled' OR charge.held <> 0 OR charge.contradictory_payments > 0
    )
ORDER BY booking.booking_id;

-- Why a booking is not in the view above: the status that it has, or no row where there is no such booking.
CREATE VIEW reconciliation_status_v1 WITH (security_barrier = true) AS
SELECT
    booking_id,
    status
FROM booking;

GRANT SELECT ON reconciliation_status_v1 TO reconciler_booking_view;
