"""A payment arrives: what becomes of it and of the booking it names (BK-7, BK-8)."""

from dataclasses import dataclass, replace
from enum import StrEnum

from booking.domain.booking import Booking, Transition, change_status
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import STRIPE, Status
from contracts.ids import BookingId, recorded_id
from contracts.money import Money

CONFIRMED_BY_PAYMENT = "paid in full"


class Anomaly(StrEnum):
    """Why money fits no booking as it should; it changes no status, and a person must look."""

    BOOKING_ID_MISSING = "booking_id_missing"
    BOOKING_UNKNOWN = "booking_unknown"
    BOOKING_CANCELLED = "booking_cancelled"
    CURRENCY_MISMATCH = "currency_mismatch"
    PAYMENT_CONFLICT = "payment_conflict"


class NotApplied(StrEnum):
    """Why an event that tells of money changes nothing, whatever it says (`contracts.stripe_events`)."""

    OTHER_MODE = "other_mode"
    OTHER_ACCOUNT = "other_account"
    THIN_EVENT = "thin_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money that a provider captured.

    Attributes:
        provider: whose payment id it is, e.g. "stripe".
        payment_id: the provider's, unique for ever.
        booking_reference: the booking as the provider names it, be it known or not; None names none.
        captured: amount and currency.
        event_id: the provider event that reported it.
    """

    provider: str
    payment_id: str
    booking_reference: str | None
    captured: Money
    event_id: str

    def says_the_same(self, other: "Payment") -> bool:
        """Whether another report of this payment agrees; several events may report one payment."""
        return (self.booking_reference, self.captured) == (other.booking_reference, other.captured)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecorded:
    """A sound payment was added to a booking; status and sum are what the booking has now."""

    booking_id: BookingId
    sequence: int
    payment: Payment
    payment_status: PaymentStatus
    paid_total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnomaly:
    """A payment needs a person. `booking_id` is None, and nothing is counted, where no booking is known."""

    booking_id: BookingId | None
    sequence: int | None
    payment: Payment
    kind: Anomaly | NotApplied
    explanation: str


PaymentEvent = PaymentRecorded | PaymentAnomaly | Transition


def receive_payment(
    booking: Booking | None, payment: Payment, earlier: Payment | None
) -> tuple[Booking | None, tuple[PaymentEvent, ...]]:
    """The booking afterwards and what happened.

    Args:
        booking: the one that the payment names, None where there is none.
        payment: as reported now.
        earlier: the same payment as reported first, if it was. Agreeing with that, nothing happens twice.
    """
    if earlier is not None:
        if earlier.says_the_same(payment):
            return booking, ()
        return _anomaly(booking, payment, Anomaly.PAYMENT_CONFLICT, _differs(earlier, payment))
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


def _differs(earlier: Payment, payment: Payment) -> str:
    return (
        f"reported first as {earlier.captured} for booking {_named(earlier)}, "
        f"now as {payment.captured} for booking {_named(payment)}; the first one stands"
    )


def _named(payment: Payment) -> str:
    return "none" if payment.booking_reference is None else recorded_id(payment.booking_reference)


def _anomaly(
    booking: Booking | None, payment: Payment, kind: Anomaly, explanation: str
) -> tuple[Booking | None, tuple[PaymentEvent, ...]]:
    noticed = None if booking is None else replace(booking, version=booking.version + 1)
    event = PaymentAnomaly(
        booking_id=None if noticed is None else noticed.id,
        sequence=None if noticed is None else noticed.version,
        payment=payment,
        kind=kind,
        explanation=explanation,
    )
    return noticed, (event,)


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
