"""Payments of a batch: read once, decided one by one in memory, written once."""

from collections.abc import Sequence
from dataclasses import dataclass

from booking.adapters.bookings import lock_bookings
from booking.adapters.payments import find_payments, key_of
from booking.domain.booking import Booking, parse_booking_id
from booking.domain.payments import Payment, receive_payment
from booking.handlers.recording import Happening, record
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payment and the message that reported it."""

    payment: Payment
    cause: MessageMetadata


async def apply_payments(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Apply payments in order, inside the caller's transaction."""
    if not arrivals:
        return
    named = {arrival.payment.booking_reference for arrival in arrivals} - {None}
    bookings = await lock_bookings(
        connection, {id_ for text in named if text and (id_ := parse_booking_id(text))}
    )
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
