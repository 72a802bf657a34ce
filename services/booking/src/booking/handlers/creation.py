"""Create a booking: price, row with snapshot, history and event in one transaction (BK-3, BK-6)."""

from dataclasses import dataclass, replace

from booking.adapters.bookings import find_booking, find_request, insert_booking
from booking.adapters.transitions import append_transitions
from booking.domain.booking import open_booking
from booking.domain.details import BookingRecord, Details, quote
from booking.domain.funds import Funds
from booking.domain.statuses import Actor, Status
from booking.handlers.outgoing_events import booking_created
from chassis import clock
from chassis.messaging.outbox import append
from chassis.postgres import Connection, Database
from contracts.ids import BookingId
from contracts.money import Money
from pricing import to_json_object


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A request to create a booking.

    Attributes:
        details: the booking asked for.
        actor: the caller.
        idempotency_key: the caller's key for this request and its repetitions; None without one.
        sha256: digest of the request's content; shows that a key was reused for another request.
    """

    details: Details
    actor: Actor
    idempotency_key: str | None
    sha256: bytes

    @property
    def key(self) -> str | None:
        """Return the stored key. It includes the actor, so that no caller gets another caller's booking."""
        # Neither an actor's name nor a header has a line feed: two pairs never give the same text.
        return None if self.idempotency_key is None else f"{self.actor.name}\n{self.idempotency_key}"


class KeyReusedError(Exception):
    """The idempotency key was used for another request: take a new key for a new request."""


async def create_booking(database: Database, request: BookingRequest, *, time_zone: str) -> BookingRecord:
    """Create a booking and return it. A repeated request returns the first one's booking as it was created.

    Raises:
        KeyReusedError: the key was used for another request.
        InvalidPriceRequestError: a field cannot be priced; the message names it.
        UnknownServiceError: the service is unknown; the message lists the known ones.
    """
    priced = quote(request.details, time_zone=time_zone, at=clock.now())
    total = Money(priced.total, priced.currency)
    booking, created = open_booking(BookingId(clock.new_id()), total, by=request.actor)
    async with database.transaction() as connection:
        is_new = await insert_booking(
            connection,
            booking,
            request.details,
            to_json_object(priced),
            idempotency_key=request.key,
            request_sha256=request.sha256,
        )
        if not is_new:
            return await _created_before(connection, request)
        recorded = await append_transitions(connection, [created])
        recorded_at = recorded[booking.id, created.version]
        await append(connection, [booking_created(booking, request.details, created, recorded_at)])
        return await _get(connection, booking.id)


async def _created_before(connection: Connection, request: BookingRequest) -> BookingRecord:
    # The same response again: the booking may have changed since then, the outcome of the request has not.
    assert request.key is not None, "only a key can conflict"
    first = await find_request(connection, request.key)
    assert first is not None, "a booking is never deleted"
    booking_id, sha256 = first
    if sha256 != request.sha256:
        raise KeyReusedError
    return _as_created(await _get(connection, booking_id))


async def _get(connection: Connection, booking_id: BookingId) -> BookingRecord:
    record = await find_booking(connection, booking_id)
    assert record is not None, "the row was just written or found"
    return record


def _as_created(record: BookingRecord) -> BookingRecord:
    booking = replace(record.booking, status=Status.PENDING, version=1, transitions=1, funds=Funds())
    return replace(record, booking=booking, updated_at=record.created_at, confirmed_at=None)
