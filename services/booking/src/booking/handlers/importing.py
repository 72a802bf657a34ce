"""Import bookings of another system: a batch of lines is one transaction (BK-15)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from booking.adapters.imported_bookings import insert_imported, known_external_ids, taken_ids
from booking.adapters.transitions import append_transitions
from booking.domain.booking import Booking
from booking.domain.imports import IMPORTED_BY, ImportedBooking
from booking.domain.statuses import Actor
from booking.handlers.money import IncomingFacts, apply_facts, apply_waiting_facts
from booking.handlers.outgoing_events import booking_created, outgoing_event
from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres import Connection, Database

_IMPORT = Actor(f"{IMPORTED_BY}booking", is_operator=True)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Positions in the batch: lines that were here already, and ids that other bookings have."""

    known: frozenset[int]
    taken: frozenset[int]


async def import_batch(database: Database, lines: Sequence[ImportedBooking], *, dry_run: bool) -> BatchResult:
    """Import the lines that are new. Nothing is written in a dry run.

    Lines whose external id was imported before are left alone, so that an import may be run again.
    """
    async with database.transaction() as connection:
        known_ids = await known_external_ids(connection, [line.external_id for line in lines])
        known = {number for number, line in enumerate(lines) if line.external_id in known_ids}
        new_ids = [line.id for number, line in enumerate(lines) if number not in known]
        others = await taken_ids(connection, new_ids)
        taken = {number for number, line in enumerate(lines) if number not in known and line.id in others}
        new = [line for number, line in enumerate(lines) if number not in known | taken]
        if new and not dry_run:
            await _write(connection, new)
    return BatchResult(frozenset(known), frozenset(taken))


async def _write(connection: Connection, lines: Sequence[ImportedBooking]) -> None:
    bookings = [(line, _booking(line)) for line in lines]
    await insert_imported(connection, bookings)
    transitions = [transition for line in lines for transition in line.transitions()]
    recorded = await append_transitions(connection, transitions)
    created = {line.id: (line, booking) for line, booking in bookings}
    events: list[OutgoingEvent] = []
    for transition in transitions:
        line, booking = created[transition.booking_id]
        row = recorded[transition.booking_id, transition.version]
        event = (
            booking_created(replace(booking, version=1), line.details, transition, row.recorded_at)
            if transition.from_status is None
            else outgoing_event(transition, row.recorded_at)
        )
        events.append(replace(event, event_id=row.event_id))
    await append(connection, events)
    # Apply events that arrived before the import of their bookings.
    await apply_waiting_facts(connection, [line.id for line in lines])
    await apply_facts(connection, [IncomingFacts(line.facts()) for line in lines], by=_IMPORT)


def _booking(line: ImportedBooking) -> Booking:
    steps = len(line.history)
    return Booking(id=line.id, status=line.status, version=steps, transitions=steps, total=line.total)
