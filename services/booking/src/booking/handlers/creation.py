"""A booking is made: priced, written with its snapshot, announced, all in one transaction (BK-3, BK-6)."""

from dataclasses import dataclass, replace

from booking.adapters.bookings import find_request, insert_booking, show_booking
from booking.adapters.transitions import append_transitions
from booking.domain.booking import open_booking
from booking.domain.details import BookingRecord, Details, quote
from booking.domain.funds import Funds
from booking.domain.statuses import Actor, Status
from booking.handlers.publishing import creation
from chassis import clock
from chassis.messaging.outbox import append
from chassis.postgres import Connection, Database
from contracts.ids import BookingId
from contracts.money import Money
from pricing import to_json_object


@dataclass(frozen=True, slots=True)
class Request:
    """A request to book, as it came.

    Attributes:
        details: what is asked for.
        actor: who asks.
        idempotency_key: the caller's name for this request, which may come again; None if it has none.
        sha256: digest of what was asked for, by which a reused key is noticed.
    """

    details: Details
    actor: Actor
    idempotency_key: str | None
    sha256: bytes

    @property
    def key(self) -> str | None:
        """The key as it is stored: the caller's own, so that nobody is answered with another's booking.

        No name of an actor and no header has a line feed: two pairs never make the same text.
        """
        return None if self.idempotency_key is None else f"{self.actor.name}\n{self.idempotency_key}"


class KeyReusedError(Exception):
    """The idempotency key was used for another request: take a new key for a new request."""


async def create_booking(database: Database, request: Request, *, time_zone: str) -> BookingRecord:
    """The new booking; under a key that was used for this same request, the one made then, as it was then.

    Raises:
        KeyReusedError: the key was used for another request.
        InvalidPriceRequestError: names the field that cannot be priced.
        UnknownServiceError: lists the services.
    """
    priced = quote(request.details, time_zone=time_zone)
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
            return await _made_before(connection, request)
        recorded = await append_transitions(connection, [created])
        recorded_at = recorded[booking.id, created.version]
        await append(connection, [creation(booking, request.details, created, recorded_at)])
        return await _shown(connection, booking.id)


async def _made_before(connection: Connection, request: Request) -> BookingRecord:
    """The same answer again: the booking may have changed since, but the request's outcome has not."""
    assert request.key is not None, "only a key can be taken"
    found = await find_request(connection, request.key)
    assert found is not None, "a booking is never deleted"
    booking_id, sha256 = found
    if sha256 != request.sha256:
        raise KeyReusedError
    return _as_created(await _shown(connection, booking_id))


async def _shown(connection: Connection, booking_id: BookingId) -> BookingRecord:
    record = await show_booking(connection, booking_id)
    assert record is not None, "it was just written, or found"
    return record


def _as_created(record: BookingRecord) -> BookingRecord:
    booking = replace(record.booking, status=Status.PENDING, version=1, transitions=1, funds=Funds())
    return replace(record, booking=booking, updated_at=record.created_at, confirmed_at=None)
