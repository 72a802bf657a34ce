-- The published view (REC-2, design §1): read by the reconciler's SELECT-only role and by nobody else. Columns are
-- only ever added; another meaning is another view. It reads what is stored, payments row by row among it, and
-- not the sums kept in booking. A page by booking_id walks the primary key, with one look into payment_booking each.
CREATE VIEW reconciliation_v1 AS
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
WHERE booking.pricing IS NOT NULL AND booking.status IN ('confirmed', 'in_progress', 'completed');

GRANT SELECT ON reconciliation_v1 TO reconciler_booking_view;
