"""Decisions about payments and the booking that they name (BK-7, BK-8)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from booking.domain.booking import Booking, change_status
from booking.domain.funds import Funds
from booking.domain.payments import (
    Anomaly,
    Exclusion,
    Payment,
    PaymentAnomaly,
    PaymentAnomalyResolved,
    PaymentEvent,
    PaymentFailed,
    PaymentRecorded,
    PaymentState,
)
from booking.domain.statuses import STRIPE, Actor, Status
from contracts.ids import BookingId, recorded_id
from contracts.money import Money

CONFIRMED_BY_PAYMENT = "paid in full"

_RESOLUTIONS: Mapping[Anomaly, str] = {
    Anomaly.BOOKING_ID_MISSING: "another object names the booking, or the money went back",
    Anomaly.BOOKING_UNKNOWN: "the booking is known now, or the money went back",
    Anomaly.BOOKING_CANCELLED: "the money went back",
    Anomaly.CURRENCY_MISMATCH: "the money went back",
    Anomaly.PAYMENT_CONFLICT: "the facts agree",
    Anomaly.PAID_OUT_OF_BAND: "the money went back, or it was paid through Stripe after all",
    Anomaly.REFUND_FAILED: "another refund sent the money back",
    Anomaly.DISPUTE_LOST: "the dispute is no longer lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPayment:
    """A payment as stored.

    Attributes:
        booking_id: the known booking that it names; None for an unknown one.
        exclusion: reason why the payment does not count for the booking; None if it counts.
    """

    payment: Payment
    booking_id: BookingId | None
    exclusion: Exclusion | None

    @property
    def key(self) -> tuple[str, str]:
        return self.payment.provider, self.payment.payment_id


@dataclass(frozen=True, slots=True, order=True)
class AnomalyKey:
    """Identity of an anomaly. `subject` is the refund or dispute it is about, else the payment."""

    provider: str
    payment_id: str
    kind: Anomaly
    subject: str


@dataclass(frozen=True, slots=True)
class OpenAnomaly:
    """An anomaly as it was reported."""

    key: AnomalyKey
    booking_id: BookingId | None
    booking_reference: str | None


def record(
    payment: Payment, booking: Booking | None, earlier: Collection[RecordedPayment]
) -> RecordedPayment | None:
    """Return the payment with its booking, and whether it counts; None if there is nothing to record.

    Args:
        payment: as derived now.
        booking: the booking that it names; None for an unknown one.
        earlier: what was recorded of it before, also under the id of another object of the payment.
    """
    if booking is None:
        if payment.state is not PaymentState.SUCCEEDED:
            return None
        missing = payment.booking_reference is None
        unknown = Exclusion.BOOKING_ID_MISSING if missing else Exclusion.BOOKING_UNKNOWN
        return RecordedPayment(payment=payment, booking_id=None, exclusion=unknown)
    exclusion = None
    if payment.state is PaymentState.SUCCEEDED:
        if payment.captured.currency != booking.total.currency:
            exclusion = Exclusion.CURRENCY_MISMATCH
        elif booking.status is Status.CANCELLED and not _counted_before(booking, earlier):
            exclusion = Exclusion.BOOKING_CANCELLED
    return RecordedPayment(payment=payment, booking_id=booking.id, exclusion=exclusion)


def withdraw(recorded: RecordedPayment) -> RecordedPayment:
    """Return a recorded payment without money: its objects now belong to another payment or booking."""
    payment = recorded.payment
    nothing = replace(
        payment,
        state=PaymentState.CANCELED,
        captured=Money(0, payment.captured.currency),
        refunded=0,
        refund_pending=0,
        disputed=0,
        lost=0,
    )
    return replace(recorded, payment=nothing)


def _counted_before(booking: Booking, earlier: Collection[RecordedPayment]) -> bool:
    # A booking that is cancelled after its payment keeps the payment.
    return any(
        recorded.booking_id == booking.id
        and recorded.exclusion is None
        and recorded.payment.state is PaymentState.SUCCEEDED
        for recorded in earlier
    )


def sum_funds(recorded: Iterable[RecordedPayment]) -> Funds:
    """Return the sums of the payments that count."""
    counting = [item.payment for item in recorded if item.exclusion is None]
    return Funds(
        captured=sum(payment.captured.amount for payment in counting),
        refunded=sum(payment.refunded + payment.lost for payment in counting),
        is_disputed=any(payment.disputed for payment in counting),
    )


def settle(
    booking: Booking,
    changes: Sequence[tuple[RecordedPayment | None, RecordedPayment]],
    funds: Funds,
    *,
    by: Actor = STRIPE,
) -> tuple[Booking, tuple[PaymentEvent, ...]]:
    """Return the booking after changes of its payments, and the events.

    A pending booking is confirmed as soon as new captured money brings the captured sum to the total. Refunds
    do not matter for that: whether a refund or the payment arrives first must not change the outcome.

    Args:
        booking: as stored.
        changes: each changed payment, before and after; None before for a new one.
        funds: sums of all its payments after the changes.
        by: the actor of a confirmation.
    """
    captured_before = booking.funds.captured
    booking = replace(booking, funds=funds)
    events: list[PaymentEvent] = []
    for before, after in changes:
        event = _change(booking, before, after)
        if event is not None:
            booking = replace(booking, version=booking.version + 1)
            events.append(event)
    is_paid = funds.captured >= booking.total.amount and funds.captured > captured_before
    if booking.status is not Status.PENDING or not is_paid:
        return booking, tuple(events)
    latest = max((after.payment for _, after in changes), key=lambda payment: payment.captured.amount)
    confirmed, transitions = change_status(
        booking,
        Status.CONFIRMED,
        by=by,
        reason=CONFIRMED_BY_PAYMENT,
        metadata={"payment_id": latest.payment_id, "event_id": latest.event_id},
    )
    return confirmed, (*events, *transitions)


def _change(
    booking: Booking, before: RecordedPayment | None, after: RecordedPayment
) -> PaymentRecorded | PaymentFailed | None:
    payment = after.payment
    sequence, status = booking.version + 1, booking.payment_status
    if after.exclusion is not None:
        return None
    if payment.captured.amount or (before is not None and before.payment.captured.amount):
        if before is not None and before.exclusion is None and before.payment.money == payment.money:
            return None
        return PaymentRecorded(
            booking_id=booking.id,
            sequence=sequence,
            payment=payment,
            payment_status=status,
            paid_total=Money(booking.funds.held, booking.total.currency),
        )
    if payment.state not in (PaymentState.FAILED, PaymentState.CANCELED):
        return None
    if before is not None and before.payment.state is payment.state:
        return None
    return PaymentFailed(booking_id=booking.id, sequence=sequence, payment=payment, payment_status=status)


def anomalies_of(recorded: RecordedPayment, booking: Booking | None) -> Mapping[AnomalyKey, str]:
    """Return the anomalies that a payment has now, each with its explanation in one sentence."""
    payment = recorded.payment
    found: dict[tuple[Anomaly, str], str] = {}
    own = payment.payment_id
    if payment.held:
        if recorded.exclusion is not None:
            found[Anomaly(recorded.exclusion.value), own] = _explain_exclusion(
                recorded.exclusion, payment, booking
            )
        if payment.is_out_of_band:
            found[Anomaly.PAID_OUT_OF_BAND, own] = (
                f"{payment.captured} were paid outside of Stripe: check that the money arrived"
            )
    if payment.conflicts:
        found[Anomaly.PAYMENT_CONFLICT, own] = "; ".join(payment.conflicts)
    for refund in payment.failed_refunds:
        found[Anomaly.REFUND_FAILED, refund] = (
            f"the refund {refund} failed and its money is back: refund the client in another way"
        )
    for dispute in payment.lost_disputes:
        found[Anomaly.DISPUTE_LOST, dispute] = (
            f"the dispute {dispute} was lost: {Money(payment.lost, payment.captured.currency)} are gone"
        )
    return {AnomalyKey(payment.provider, own, kind, subject): text for (kind, subject), text in found.items()}


def _explain_exclusion(exclusion: Exclusion, payment: Payment, booking: Booking | None) -> str:
    match exclusion:
        case Exclusion.BOOKING_ID_MISSING:
            return "the payment names no booking in metadata.booking_id"
        case Exclusion.BOOKING_CANCELLED:
            return "the booking is cancelled: refund the payment, or book anew"
        case Exclusion.CURRENCY_MISMATCH if booking is not None:
            return f"{payment.captured} was paid, but the booking is in {booking.total.currency}"
        case _:
            return f"there is no booking {recorded_id(payment.booking_reference or '')}"


def report_anomalies(
    bookings: Mapping[BookingId, Booking],
    recorded: Iterable[RecordedPayment],
    opened: Collection[OpenAnomaly],
) -> tuple[dict[BookingId, Booking], tuple[PaymentAnomaly | PaymentAnomalyResolved, ...]]:
    """Compare the anomalies that payments have now with those that are open.

    Args:
        bookings: the bookings of the payments and of the open anomalies.
        recorded: the payments, as they are now.
        opened: the open anomalies of these payments and of their objects.

    Returns:
        The bookings at their versions after the events, and the events.
    """
    after = dict(bookings)
    now: dict[AnomalyKey, tuple[RecordedPayment, str]] = {}
    for item in recorded:
        booking = None if item.booking_id is None else bookings[item.booking_id]
        now |= {key: (item, text) for key, text in anomalies_of(item, booking).items()}
    events: list[PaymentAnomaly | PaymentAnomalyResolved] = []
    for anomaly in sorted(opened, key=lambda item: item.key):
        if anomaly.key not in now:
            sequence = _advance(after, anomaly.booking_id)
            events.append(_resolved(anomaly, sequence))
    for key in sorted(now.keys() - {anomaly.key for anomaly in opened}):
        item, text = now[key]
        events.append(_anomaly(key, item, text, _advance(after, item.booking_id)))
    return after, tuple(events)


def _advance(bookings: dict[BookingId, Booking], booking_id: BookingId | None) -> int | None:
    if booking_id is None:
        return None
    booking = bookings[booking_id]
    bookings[booking_id] = replace(booking, version=booking.version + 1)
    return booking.version + 1


def _anomaly(key: AnomalyKey, recorded: RecordedPayment, text: str, sequence: int | None) -> PaymentAnomaly:
    return PaymentAnomaly(
        booking_id=recorded.booking_id,
        sequence=sequence,
        provider=key.provider,
        payment_id=key.payment_id,
        booking_reference=recorded.payment.booking_reference,
        captured=recorded.payment.captured,
        kind=key.kind,
        subject=key.subject,
        explanation=text,
    )


def _resolved(anomaly: OpenAnomaly, sequence: int | None) -> PaymentAnomalyResolved:
    return PaymentAnomalyResolved(
        booking_id=anomaly.booking_id,
        sequence=sequence,
        provider=anomaly.key.provider,
        payment_id=anomaly.key.payment_id,
        booking_reference=anomaly.booking_reference,
        kind=anomaly.key.kind,
        subject=anomaly.key.subject,
        explanation=_RESOLUTIONS[anomaly.key.kind],
    )
