"""Money that a person enters, and its counter-entries (BK-16)."""

from dataclasses import dataclass, replace
from datetime import datetime

from booking.adapters.bookings import lock_bookings
from booking.adapters.entries import find_entry, insert_entry
from booking.adapters.payments import PaymentRecord, find_payment
from booking.domain.booking import parse_booking_id
from booking.domain.entries import OFFICE, Entry, EntryRefusedError, require_receivable
from booking.domain.statuses import Actor
from booking.handlers.money import IncomingFacts, apply_facts
from chassis import clock
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRequest:
    """Money to enter, or an entry to undo.

    Attributes:
        amount, method: of the money; None for a counter-entry.
        received_at: None means now.
        reverses: id of the payment whose entry is undone; None for new money.
    """

    amount: Money | None
    method: str | None
    received_at: datetime | None
    reason: str
    reverses: str | None
    actor: Actor


async def enter_money(
    connection: Connection, booking_id: BookingId, request: EntryRequest
) -> PaymentRecord | None:
    """Enter money or undo an entry, inside the caller's transaction. Return None for an unknown booking.

    Raises:
        EntryRefusedError: the booking or the payment does not allow it.
    """
    booking = (await lock_bookings(connection, [booking_id])).get(booking_id)
    if booking is None:
        return None
    entry_id = clock.new_id()
    if request.reverses is not None:
        undone = await _reversible(connection, booking_id, request.reverses)
        entry = replace(
            undone,
            entry_id=entry_id,
            received_at=clock.now(),
            entered_by=request.actor.name,
            reason=request.reason,
            reverses=undone.entry_id,
        )
    else:
        assert request.amount is not None, "checked with the body"
        assert request.method is not None, "checked with the body"
        require_receivable(booking, request.amount)
        entry = Entry(
            entry_id=entry_id,
            booking_id=booking_id,
            amount=request.amount,
            method=request.method,
            received_at=request.received_at or clock.now(),
            entered_by=request.actor.name,
            reason=request.reason,
        )
    await insert_entry(connection, entry)
    await apply_facts(connection, [IncomingFacts((entry.fact(),))], by=request.actor)
    return await find_payment(connection, OFFICE, entry.reverses or entry.entry_id)


async def _reversible(connection: Connection, booking_id: BookingId, payment_id: str) -> Entry:
    known = None
    if parse_booking_id(payment_id) is not None:
        known = await find_entry(connection, booking_id, payment_id)
    if known is None:
        raise EntryRefusedError("unknown-payment", "reverses: the booking has no such payment")
    entry, is_reversed = known
    if entry is None:
        raise EntryRefusedError("not-an-entry", "reverses: a provider's payment is refunded at the provider")
    if is_reversed:
        raise EntryRefusedError("already-reversed", "reverses: the entry was undone before")
    return entry
