"""Offers made, withdrawn and closed by the business; their queries (BK-9)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from booking.adapters import offers as table
from booking.adapters.bookings import booking_exists, lock_bookings, try_lock_bookings
from booking.adapters.offers import OfferRecord
from booking.domain.offers import Offer, close_due_offers, make_offer, withdraw_offer
from booking.domain.statuses import Actor
from booking.handlers.offer_persistence import save_decision
from chassis import clock
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId

OFFER_HOURS = 24
"""An offer expires after this time if the caller names no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRequest:
    """A request to offer a booking to a person.

    Attributes:
        person_id: id of the person, without personal data.
        name: of the person.
        phone: in E.164.
        expires_at: None for `OFFER_HOURS` from now.
    """

    person_id: str
    name: str
    phone: str
    expires_at: datetime | None


async def create_offer(
    connection: Connection, booking_id: BookingId, request: OfferRequest, *, by: Actor
) -> OfferRecord | None:
    """Offer a booking inside the caller's transaction. Return the offer; None for an unknown booking.

    Raises:
        BookingClosedError: the booking is completed, cancelled or past.
        OfferExistsError: an offer of the booking is accepted, or one is open for this phone.
    """
    booking = (await lock_bookings(connection, [booking_id])).get(booking_id)
    if booking is None:
        return None
    offer = Offer(
        id=clock.new_id(),
        booking_id=booking_id,
        person_id=request.person_id,
        phone=request.phone,
        expires_at=request.expires_at or clock.now() + timedelta(hours=OFFER_HOURS),
    )
    existing = await table.read_offers(connection, [booking_id])
    is_past = await table.has_ended(connection, booking_id)
    decision = make_offer(booking, offer, existing, is_past=is_past, by=by)
    await save_decision(connection, decision)
    await table.insert_offer(connection, offer, name=request.name)
    return await table.find_offer(connection, booking_id, offer.id)


async def close_offer(
    connection: Connection, booking_id: BookingId, offer_id: str, *, by: Actor
) -> OfferRecord | None:
    """Withdraw an offer inside the caller's transaction. Return the offer; None for an unknown one.

    Args:
        connection: in a transaction.
        booking_id: of the offer's booking.
        offer_id: any text.
        by: the caller.

    Raises:
        OfferClosedError: the offer was closed for another reason.
    """
    booking = (await lock_bookings(connection, [booking_id])).get(booking_id)
    offers = {offer.id: offer for offer in await table.read_offers(connection, [booking_id])}
    if booking is None or offer_id not in offers:
        return None
    await save_decision(connection, withdraw_offer(booking, offers[offer_id], by=by))
    return await table.find_offer(connection, booking_id, offer_id)


async def close_due(database: Database, *, bookings_max: int) -> int:
    """Close offers that have expired or whose booking nobody can take. Return how many.

    Bookings that another session has locked are left for the next call.
    """
    async with database.transaction() as connection:
        due = await table.find_due_bookings(connection, rows_max=bookings_max)
        bookings, _ = await try_lock_bookings(connection, due)
        offers = await table.read_offers(connection, bookings)
        closed = 0
        for booking in bookings.values():
            decision = close_due_offers(booking, [o for o in offers if o.booking_id == booking.id])
            await save_decision(connection, decision)
            closed += len(decision.offers)
        return closed


async def list_offers(
    database: Database, booking_id: BookingId, *, before: str | None, rows_max: int
) -> list[OfferRecord | UnreadableRow] | None:
    """Return a booking's offers, newest first; None for an unknown booking."""
    async with database.connection() as connection:
        if not await booking_exists(connection, booking_id):
            return None
        return await table.list_offers(connection, booking_id, before=before, rows_max=rows_max)
