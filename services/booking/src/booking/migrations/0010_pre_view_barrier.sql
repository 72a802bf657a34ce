-- Functions and operators in a WHERE clause of the reader see only rows that the view shows (REC-2): without
-- the barrier the planner may hand them the rows that the view hides. Replacing a view drops its options and its
-- order, so each later version of this view repeats both.
-- A view with a barrier is planned by itself. ORDER BY keeps a page by booking_id a walk of the primary key that
-- stops at its LIMIT; without it every page would read and sum up all bookings behind its beginning.
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
    charge.captured,
    charge.refunded,
    charge.charge_count,
    charge.payment_currencies,
    booking.starts_at,
    booking.created_at,
    booking.confirmed_at
FROM booking
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(payment.captured) FILTER (WHERE payment.currency = booking.currency), 0)::bigint AS captured,
        coalesce(sum(payment.refunded) FILTER (WHERE payment.currency = booking.currency), 0)::bigint AS refunded,
        count(*)::integer AS charge_count,
        coalesce(array_agg(DISTINCT payment.currency), '{}') AS payment_currencies
    FROM payment
    WHERE payment.booking_id = booking.booking_id
) AS charge
WHERE booking.pricing IS NOT NULL AND booking.status IN ('confirmed', 'in_progress', 'completed')
ORDER BY booking.booking_id;
