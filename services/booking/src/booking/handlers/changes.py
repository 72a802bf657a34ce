"""Changes of a booking by a person: status, details, price (BK-1, BK-2, BK-3, BK-6, BK-16)."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from booking.adapters.bookings import (
    find_booking,
    lock_booking,
    update_bookings,
    update_details,
    update_price,
)
from booking.adapters.status_changes import RowChangedError, read_version, write_status
from booking.domain.booking import change_status
from booking.domain.changes import (
    Change,
    ChangeEvent,
    change_details,
    override_price,
    price_change,
    reprice,
)
from booking.domain.details import BookingRecord, Details
from booking.domain.statuses import Actor, Status
from booking.handlers.outgoing_events import outgoing_event
from booking.handlers.persistence import CausedEvent, save
from booking.handlers.preconditions import Precondition, require
from chassis import clock
from chassis.messaging.outbox_templates import UNKNOWN_TIME, to_template
from chassis.postgres import Connection, Database
from contracts.ids import BookingId
from contracts.money import Money
from pricing import to_json_object


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """A requested change.

    Attributes:
        actor: the caller.
        precondition: must be met by the booking; None accepts any state.
        reason: of a change of status or an override.
        status: the new status; None leaves it.
        details: the new details by name; the others stay.
        total: total of an override; None without one.
    """

    actor: Actor
    precondition: Precondition | None
    reason: str | None = None
    status: Status | None = None
    details: Mapping[str, Any]
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class ChangedBooking:
    """The booking after a change, and its price before and after if that changed."""

    record: BookingRecord
    price_change: Mapping[str, Any] | None


Decision = Callable[[BookingRecord, Details], Change]


async def change_booking(
    database: Database, booking_id: BookingId, request: ChangeRequest, *, time_zone: str
) -> ChangedBooking | None:
    """Change status and details of a booking in one transaction. Return None for an unknown id.

    The details change before the status, except on the way back to pending, which makes them changeable.

    Raises:
        StaleVersionError: the precondition is not met.
        IllegalTransitionError: the transition table does not allow the change.
        NotChangeableError, PriceFrozenError: the status does not allow the change of details.
        PricingError: the new details cannot be priced.
    """
    if request.status is not None and not request.details:
        # After the first lost race the row is locked: no change is overtaken twice.
        with suppress(RowChangedError):
            return await _change_status_alone(database, booking_id, request, request.status)
    async with database.transaction() as connection:
        record = await _lock(connection, booking_id, request)
        if record is None:
            return None
        events: list[ChangeEvent] = []
        if request.status is Status.PENDING:
            record = _change_status(record, request, events)
            # The database lets the price of a pending booking change only.
            await update_bookings(connection, [record.booking])

        def decide(before: BookingRecord, details: Details) -> Change:
            return change_details(before, details, by=request.actor, time_zone=time_zone, at=clock.now())

        if request.details:
            record = await _apply(connection, record, request, decide, events)
        if request.status is not Status.PENDING:
            record = _change_status(record, request, events)
        return await _save(connection, record, events)


async def _change_status_alone(
    database: Database, booking_id: BookingId, request: ChangeRequest, status: Status
) -> ChangedBooking | None:
    """Change the status without a lock: one statement reads, one writes if the row is still as it was read.

    Raises:
        RowChangedError: it is not; nothing was written.
    """
    async with database.connection() as connection:
        before = await read_version(connection, booking_id)
        if before is None:
            return None
        record, _ = before
        require(record, request.precondition)
        booking, transitions = change_status(record.booking, status, by=request.actor, reason=request.reason)
        for transition in transitions:
            event = to_template(outgoing_event(transition, UNKNOWN_TIME))
            record = await write_status(connection, before, booking, transition, event)
        return ChangedBooking(record, None)


async def reprice_booking(
    connection: Connection, booking_id: BookingId, request: ChangeRequest, *, time_zone: str
) -> ChangedBooking | None:
    """Price a booking anew, or override its total, inside the caller's transaction.

    Raises:
        StaleVersionError, NotChangeableError, PriceFrozenError, PricingError: as `change_booking`.
    """
    record = await _lock(connection, booking_id, request)
    if record is None:
        return None
    events: list[ChangeEvent] = []

    def decide(before: BookingRecord, details: Details) -> Change:
        if request.total is not None:
            return override_price(before, request.total, reason=request.reason or "", by=request.actor)
        return reprice(before, details, by=request.actor, time_zone=time_zone, at=clock.now())

    record = await _apply(connection, record, request, decide, events)
    return await _save(connection, record, events)


async def _lock(
    connection: Connection, booking_id: BookingId, request: ChangeRequest
) -> BookingRecord | None:
    record = await lock_booking(connection, booking_id)
    if record is not None:
        require(record, request.precondition)
    return record


def _change_status(record: BookingRecord, request: ChangeRequest, events: list[ChangeEvent]) -> BookingRecord:
    if request.status is None:
        return record
    booking, transitions = change_status(
        record.booking, request.status, by=request.actor, reason=request.reason
    )
    events += transitions
    return replace(record, booking=booking)


async def _apply(
    connection: Connection,
    record: BookingRecord,
    request: ChangeRequest,
    decide: Decision,
    events: list[ChangeEvent],
) -> BookingRecord:
    details = replace(record.details, **request.details)
    change = decide(record, details)
    if details != record.details:
        await update_details(connection, record.booking.id, details)
    pricing = record.pricing
    if change.snapshot is not None:
        pricing = to_json_object(change.snapshot)
        await update_price(connection, change.booking, pricing)
    events += change.events
    return replace(record, booking=change.booking, details=details, pricing=pricing)


async def _save(connection: Connection, record: BookingRecord, events: list[ChangeEvent]) -> ChangedBooking:
    if events:
        await save(connection, [record.booking], [CausedEvent(event) for event in events])
    after = await find_booking(connection, record.booking.id)
    assert after is not None, "the row is locked"
    return ChangedBooking(after, price_change(tuple(events)))
