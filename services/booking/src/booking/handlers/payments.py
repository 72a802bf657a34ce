"""Payments of a batch: read once, decided one by one in memory, written once."""

from collections.abc import Sequence
from dataclasses import dataclass

from booking.adapters.bookings import try_lock_bookings
from booking.adapters.payments import find_payments, key_of
from booking.domain.booking import Booking, parse_booking_id
from booking.domain.payments import Payment, receive_payment
from booking.handlers.persistence import CausedEvent, save
from chassis.messaging.message import KeysInUseError, Message
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata


@dataclass(frozen=True, slots=True)
class IncomingPayment:
    """A payment and the message that reported it."""

    payment: Payment
    message: Message

    @property
    def cause(self) -> MessageMetadata:
        """Metadata that the resulting events name as their cause."""
        return self.message.metadata

    @property
    def booking_id(self) -> BookingId | None:
        """Id of the booking that the payment names; None if the reference is no booking id."""
        return parse_booking_id(self.payment.booking_reference or "")


async def apply_payments(connection: Connection, incoming_payments: Sequence[IncomingPayment]) -> None:
    """Apply payments in order, inside the caller's transaction.

    Raises:
        KeysInUseError: another session has locked a booking that some of the payments name.
    """
    if not incoming_payments:
        return
    booking_ids = {booking_id for incoming in incoming_payments if (booking_id := incoming.booking_id)}
    bookings, locked = await try_lock_bookings(connection, booking_ids)
    if locked:
        waiting = [incoming.message for incoming in incoming_payments if incoming.booking_id in locked]
        raise KeysInUseError(waiting, "row of booking locked by another session")
    # Read after the lock: the previous holder of the lock may have written one of these payments.
    earlier = await find_payments(connection, {key_of(incoming.payment) for incoming in incoming_payments})
    changed: dict[BookingId, Booking] = {}
    caused_events: list[CausedEvent] = []
    for incoming in incoming_payments:
        payment = incoming.payment
        reference = BookingId(payment.booking_reference or "")
        booking = changed.get(reference) or bookings.get(reference)
        after, events = receive_payment(booking, payment, earlier.get(key_of(payment)))
        earlier.setdefault(key_of(payment), payment)
        caused_events.extend(CausedEvent(event, incoming.cause) for event in events)
        if after is not None and after is not booking:
            changed[after.id] = after
    await save(connection, list(changed.values()), caused_events)
