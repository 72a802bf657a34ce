-- The published view gains what reconciliation needs of refunds, disputes and waiting money (REC-5). Columns are only
-- added. `captured`, `refunded` and `charge_count` are of payments that captured money; `refunded` is all money that
-- went back, by refunds (with those on their way) and by lost disputes, as far as it did before: none did.
-- refund_pending, disputed, lost: parts of it, in the booking's currency. pending_payments: payments that are known and
-- have no money yet. open_anomalies: payments that a person has to look at. money_changed_at: last change of a payment.
-- kept_captured, kept_refunded: the sums in the booking's own row. history_status: the last status of its history.
-- Barrier and order as in 0010.
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
    charge.contradictory_payments,
    charge.refund_pending,
    charge.disputed,
    charge.lost,
    charge.pending_payments,
    charge.money_changed_at,
    (
        SELECT count(*)
        FROM payment_anomaly AS anomaly
        WHERE anomaly.booking_id = booking.booking_id AND anomaly.resolved_at IS NULL
    )::integer AS open_anomalies,
    booking.captured AS kept_captured,
    booking.refunded AS kept_refunded,
    (
        SELECT transition.to_status
        FROM status_transition AS transition
        WHERE transition.booking_id = booking.booking_id
        ORDER BY transition.version DESC
        LIMIT 1
    ) AS history_status
FROM booking
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(payment.captured) FILTER (WHERE payment.currency = booking.currency), 0) AS captured,
        coalesce(
            sum(payment.refunded::numeric + payment.lost) FILTER (WHERE payment.currency = booking.currency), 0
        ) AS refunded,
        (count(*) FILTER (WHERE payment.state = 'succeeded'))::integer AS charge_count,
        coalesce(
            array_agg(DISTINCT payment.currency) FILTER (WHERE payment.state = 'succeeded'), '{}'
        ) AS payment_currencies,
        coalesce(
            sum(payment.captured::numeric - payment.refunded - payment.lost)
            FILTER (WHERE payment.anomaly IS NULL),
            0
        ) AS held,
        (
            count(*) FILTER (
                WHERE (payment.captured >= 0 AND payment.refunded BETWEEN 0 AND payment.captured) IS NOT TRUE
            )
        )::integer AS contradictory_payments,
        coalesce(sum(payment.refund_pending) FILTER (WHERE payment.currency = booking.currency), 0)
            AS refund_pending,
        coalesce(sum(payment.disputed) FILTER (WHERE payment.currency = booking.currency), 0) AS disputed,
        coalesce(sum(payment.lost) FILTER (WHERE payment.currency = booking.currency), 0) AS lost,
        (count(*) FILTER (WHERE payment.state = 'pending'))::integer AS pending_payments,
        max(payment.updated_at) AS money_changed_at
    FROM payment
    WHERE payment.booking_id = booking.booking_id AND NOT payment.is_void
) AS charge
WHERE booking.status IS DISTINCT FROM 'pending'
    AND (
        booking.status IS DISTINCT FROM 'cancelled' OR charge.held <> 0 OR charge.contradictory_payments > 0
    )
ORDER BY booking.booking_id;
