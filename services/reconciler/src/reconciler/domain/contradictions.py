"""Values of a booking that must agree before anything is compared (REC-12)."""

from datetime import datetime, timedelta

from contracts.money import Money
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.obstacles import NotEvaluableError

CLOCK_SKEW_MAX = timedelta(days=1)
"""The booking service writes no confirmation or cancellation further in the future than this."""

EVALUATED_STATUSES = ("confirmed", "in_progress", "completed", "cancelled")
_STATUSES = ("pending", *EVALUATED_STATUSES)

_EXCERPT_CHARACTERS_MAX = 80


def refuse_contradictions(booking: StoredBooking, *, as_of: datetime) -> None:
    """Raise NotEvaluableError for impossible payments, and for a row that contradicts history or clock."""
    if booking.contradictory_payments:
        raise NotEvaluableError(
            f"payments: {booking.contradictory_payments} with a negative amount, or with more given back"
            " than was captured",
            "payments_impossible",
        )
    if booking.status != booking.history_status or booking.status not in EVALUATED_STATUSES:
        _refuse_status(booking)
    if booking.status == "cancelled":
        if booking.cancelled_at is None:
            raise NotEvaluableError(
                "cancelled_at: it is not known when the booking was cancelled", "time_impossible"
            )
        _refuse_future("cancelled_at", booking.cancelled_at, as_of)
    else:
        _refuse_future("confirmed_at", booking.due_at, as_of)


def refuse_payment_status(booking: StoredBooking) -> None:
    """Raise NotEvaluableError if the row of a booking that was charged exactly its price does not say so."""
    expected = "disputed" if booking.disputed else "paid"
    if booking.payment_status != expected:
        raise NotEvaluableError(
            f"payment_status: the booking says {booking.payment_status[:_EXCERPT_CHARACTERS_MAX]!a},"
            f" its payments make it {expected!a}",
            "payment_status_disagrees",
        )


def _refuse_status(booking: StoredBooking) -> None:
    status = ascii(booking.status[:_EXCERPT_CHARACTERS_MAX])
    if booking.status not in _STATUSES:
        raise NotEvaluableError(f"status: {status} is none that a booking can have", "status_unknown")
    if booking.status == booking.history_status:
        raise NotEvaluableError(f"status: {status} is none that a run evaluates", "status_unknown")
    history = "is empty" if booking.history_status is None else f"ends with {booking.history_status!a}"
    raise NotEvaluableError(f"status: the booking says {status}, its history {history}", "history_disagrees")


def disagreement_of_sums(booking: StoredBooking) -> NotEvaluableError | None:
    """Return how the sums in the booking's row differ from its payments; None if they agree.

    The payments are the evidence: prices are compared with them all the same.
    """
    if (booking.kept_captured, booking.kept_refunded) == (booking.counted_captured, booking.counted_refunded):
        return None
    kept = booking.kept_captured - booking.kept_refunded
    counted = booking.counted_captured - booking.counted_refunded

    def shown(captured: int, refunded: int) -> str:
        return (
            f"{Money(captured, booking.currency)} captured and {Money(refunded, booking.currency)} refunded"
        )

    return NotEvaluableError(
        f"sums: the booking says {shown(booking.kept_captured, booking.kept_refunded)},"
        f" its payments {shown(booking.counted_captured, booking.counted_refunded)}",
        "sums_disagree",
        currency=booking.currency,
        amount=counted - kept,
    )


def _refuse_future(name: str, moment: datetime, as_of: datetime) -> None:
    if moment - as_of > CLOCK_SKEW_MAX:
        raise NotEvaluableError(f"{name}: {moment:%Y-%m-%dT%H:%M:%SZ} lies in the future", "time_impossible")
