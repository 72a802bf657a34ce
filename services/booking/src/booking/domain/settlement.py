"""Decisions about payments and the booking that they name (BK-7, BK-8)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from booking.domain.booking import Booking, change_status
from booking.domain.funds import Funds
from booking.domain.payments import (
    Exclusion,
    Payment,
    PaymentEvent,
    PaymentFailed,
    PaymentRecorded,
    PaymentState,
)
from booking.domain.statuses import STRIPE, Actor, Status
from contracts.ids import BookingId
from contracts.money import Money

CONFIRMED_BY_PAYMENT = "paid in full"


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
    # A failed attempt beside money that pays the booking changes nothing.
    is_paid = booking.funds.held >= booking.total.amount
    if is_paid or payment.state not in (PaymentState.FAILED, PaymentState.CANCELED):
        return None
    if before is not None and before.payment.state is payment.state:
        return None
    return PaymentFailed(booking_id=booking.id, sequence=sequence, payment=payment, payment_status=status)
