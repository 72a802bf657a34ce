"""Decisions about a reported payment and the booking that it names (BK-7, BK-8)."""

from dataclasses import dataclass, replace
from enum import StrEnum

from booking.domain.booking import Booking, Transition, change_status
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import STRIPE, Status
from contracts.ids import BookingId, recorded_id
from contracts.money import Money

CONFIRMED_BY_PAYMENT = "paid in full"


class Anomaly(StrEnum):
    """Reason why a payment is not counted for a booking. It changes no status; a person must look."""

    BOOKING_ID_MISSING = "booking_id_missing"
    BOOKING_UNKNOWN = "booking_unknown"
    BOOKING_CANCELLED = "booking_cancelled"
    CURRENCY_MISMATCH = "currency_mismatch"
    PAYMENT_CONFLICT = "payment_conflict"


class NotApplied(StrEnum):
    """Reason why an event that tells of money is not applied (`contracts.stripe_events`)."""

    OTHER_MODE = "other_mode"
    OTHER_ACCOUNT = "other_account"
    THIN_EVENT = "thin_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment that a provider captured.

    Attributes:
        provider: e.g. "stripe".
        payment_id: the provider's id, unique for ever.
        booking_reference: the booking as the provider names it, known or not; None without a name.
        captured: amount and currency.
        event_id: of the provider event that reported the payment.
    """

    provider: str
    payment_id: str
    booking_reference: str | None
    captured: Money
    event_id: str

    def agrees_with(self, other: "Payment") -> bool:
        """Return True if another report of this payment agrees; several events may report one payment."""
        return (self.booking_reference, self.captured) == (other.booking_reference, other.captured)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecorded:
    """A payment was added to a booking. `payment_status` and `paid_total` are those after it."""

    booking_id: BookingId
    sequence: int
    payment: Payment
    payment_status: PaymentStatus
    paid_total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnomaly:
    """A payment needs a person. `booking_id` and `sequence` are None for an unknown booking."""

    booking_id: BookingId | None
    sequence: int | None
    payment: Payment
    kind: Anomaly | NotApplied
    explanation: str


PaymentEvent = PaymentRecorded | PaymentAnomaly | Transition


def receive_payment(
    booking: Booking | None, payment: Payment, earlier: Payment | None
) -> tuple[Booking | None, tuple[PaymentEvent, ...]]:
    """Return the booking after the payment, and the events.

    Args:
        booking: the booking that the payment names; None for an unknown one.
        payment: as reported now.
        earlier: the same payment as it was reported first; None for a new payment. A repeated report that
            agrees changes nothing.
    """
    if earlier is not None:
        if earlier.agrees_with(payment):
            return booking, ()
        return _anomaly(booking, payment, Anomaly.PAYMENT_CONFLICT, _difference(earlier, payment))
    if booking is None:
        return _anomaly(None, payment, *_unknown(payment))
    problem = _problem(booking, payment)
    return _record(booking, payment) if problem is None else _anomaly(booking, payment, *problem)


def _problem(booking: Booking, payment: Payment) -> tuple[Anomaly, str] | None:
    if booking.status is Status.CANCELLED:
        return Anomaly.BOOKING_CANCELLED, "the booking is cancelled: refund the payment, or book anew"
    if payment.captured.currency != booking.total.currency:
        return (
            Anomaly.CURRENCY_MISMATCH,
            f"{payment.captured} was paid, but the booking is in {booking.total.currency}",
        )
    return None


def _unknown(payment: Payment) -> tuple[Anomaly, str]:
    if payment.booking_reference is None:
        return Anomaly.BOOKING_ID_MISSING, "the payment names no booking in metadata.booking_id"
    return Anomaly.BOOKING_UNKNOWN, f"there is no booking {recorded_id(payment.booking_reference)}"


def _difference(earlier: Payment, payment: Payment) -> str:
    return (
        f"reported first as {earlier.captured} for booking {_name_of(earlier)}, "
        f"now as {payment.captured} for booking {_name_of(payment)}; the first one stands"
    )


def _name_of(payment: Payment) -> str:
    return "none" if payment.booking_reference is None else recorded_id(payment.booking_reference)


def _anomaly(
    booking: Booking | None, payment: Payment, kind: Anomaly, explanation: str
) -> tuple[Booking | None, tuple[PaymentEvent, ...]]:
    counted = None if booking is None else replace(booking, version=booking.version + 1)
    event = PaymentAnomaly(
        booking_id=None if counted is None else counted.id,
        sequence=None if counted is None else counted.version,
        payment=payment,
        kind=kind,
        explanation=explanation,
    )
    return counted, (event,)


def _record(booking: Booking, payment: Payment) -> tuple[Booking, tuple[PaymentEvent, ...]]:
    captured = booking.funds.captured + payment.captured.amount
    paid = replace(booking, version=booking.version + 1, funds=replace(booking.funds, captured=captured))
    recorded = PaymentRecorded(
        booking_id=paid.id,
        sequence=paid.version,
        payment=payment,
        payment_status=paid.payment_status,
        paid_total=Money(captured - paid.funds.refunded, paid.total.currency),
    )
    if paid.status is not Status.PENDING or not paid.funds.covers(paid.total.amount):
        return paid, (recorded,)
    confirmed, transitions = change_status(
        paid,
        Status.CONFIRMED,
        by=STRIPE,
        reason=CONFIRMED_BY_PAYMENT,
        metadata={"payment_id": payment.payment_id, "event_id": payment.event_id},
    )
    return confirmed, (recorded, *transitions)
