"""Create a booking: price, row with snapshot, history and event in one transaction (BK-3, BK-6)."""

from dataclasses import dataclass, replace

from booking.adapters.bookings import find_booking, insert_booking
from booking.adapters.transitions import append_transitions
from booking.domain.booking import open_booking
from booking.domain.details import BookingRecord, Details, quote
from booking.domain.funds import Funds
from booking.domain.statuses import Actor, Status
from booking.handlers.outgoing_events import booking_created
from chassis import clock
from chassis.messaging.outbox import append
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.money import Money
from pricing import to_json_object


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A request to create a booking.

    Attributes:
        details: the booking asked for.
        actor: the caller.
    """

    details: Details
    actor: Actor


async def create_booking(connection: Connection, request: BookingRequest, *, time_zone: str) -> BookingRecord:
    """Create a booking inside the caller's transaction and return it.

    Raises:
        InvalidPriceRequestError: a field cannot be priced; the message names it.
        UnknownServiceError: the service is unknown; the message lists the known ones.
    """
    priced = quote(request.details, time_zone=time_zone, at=clock.now())
    total = Money(priced.total, priced.currency)
    booking, created = open_booking(BookingId(clock.new_id()), total, by=request.actor)
    await insert_booking(connection, booking, request.details, to_json_object(priced))
    recorded = await append_transitions(connection, [created])
    row = recorded[booking.id, created.version]
    event = booking_created(booking, request.details, created, row.recorded_at)
    await append(connection, [replace(event, event_id=row.event_id)])
    return await _get(connection, booking.id)


async def rebuild_created(connection: Connection, booking_id: BookingId) -> BookingRecord:
    """Return a booking as its creation left it. Fields that were erased since then are empty."""
    record = await _get(connection, booking_id)
    booking = replace(record.booking, status=Status.PENDING, version=1, transitions=1, funds=Funds())
    return replace(record, booking=booking, updated_at=record.created_at, confirmed_at=None)


async def _get(connection: Connection, booking_id: BookingId) -> BookingRecord:
    record = await find_booking(connection, booking_id)
    assert record is not None, "the row was just written, and a booking is never deleted"
    return record
