"""Payments of a batch: read once, decided one by one in memory, written once."""

from collections.abc import Sequence
from dataclasses import dataclass

from booking.adapters.bookings import lock_free_bookings
from booking.adapters.payments import find_payments, key_of
from booking.domain.booking import Booking, parse_booking_id
from booking.domain.payments import Payment, receive_payment
from booking.handlers.recording import Happening, record
from chassis.messaging.message import KeysInUseError, Message
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payment and the message that reported it."""

    payment: Payment
    message: Message

    @property
    def cause(self) -> MessageMetadata:
        """What its events name as their cause."""
        return self.message.metadata

    @property
    def booking_id(self) -> BookingId | None:
        """The booking that the payment names, if it is the id of one."""
        return parse_booking_id(self.payment.booking_reference or "")


async def apply_payments(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Apply payments in order, inside the caller's transaction.

    Raises:
        KeysInUseError: another session has locked a booking that some of the payments name.
    """
    if not arrivals:
        return
    named = {booking_id for arrival in arrivals if (booking_id := arrival.booking_id)}
    bookings, locked = await lock_free_bookings(connection, named)
    if locked:
        waiting = [arrival.message for arrival in arrivals if arrival.booking_id in locked]
        raise KeysInUseError(waiting, "row of booking locked by another session")
    # Only once the bookings are locked: whoever held them may just have written one of these payments.
    earlier = await find_payments(connection, {key_of(arrival.payment) for arrival in arrivals})
    changed: dict[BookingId, Booking] = {}
    happenings: list[Happening] = []
    for arrival in arrivals:
        payment = arrival.payment
        reference = BookingId(payment.booking_reference or "")
        booking = changed.get(reference) or bookings.get(reference)
        after, events = receive_payment(booking, payment, earlier.get(key_of(payment)))
        earlier.setdefault(key_of(payment), payment)
        happenings.extend(Happening(event, arrival.cause) for event in events)
        if after is not None and after is not booking:
            changed[after.id] = after
    await record(connection, list(changed.values()), happenings)
