"""Appending a batch: entries, what contradicts entries, and the status history (AU-1, AU-2)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from audit.adapters import event_log, event_renderings, history_gaps, status_history
from audit.adapters.event_log import Appended
from audit.adapters.status_history import Place, Recorded
from audit.domain.digest import payload_digest
from audit.domain.entries import Entry, Identity, history_conflict, identity_conflict
from audit.domain.history import Transition
from audit.domain.renderings import has_statement, is_rendering
from audit.handlers.messages import read_entry
from chassis.messaging.failures import require_written
from chassis.messaging.message import Message
from chassis.postgres import Connection
from contracts.stripe_events import StripeWorld


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch added.

    Attributes:
        entries: new ones, reports of conflicts among them.
        conflicts: reports of a known event id with another body, or of a version told differently.
        duplicates: messages that added nothing.
        waiting: bookings of this batch whose history waits for a missing version.
    """

    entries: list[Entry]
    conflicts: int
    duplicates: int
    waiting: list[str]


async def append_messages(connection: Connection, messages: Sequence[Message], world: StripeWorld) -> Outcome:
    """Append one entry per message that is new, inside the caller's transaction."""
    return await append_entries(connection, [read_entry(message, world) for message in messages])


async def append_entries(connection: Connection, entries: Sequence[Entry]) -> Outcome:
    """Append entries whose identity is new, and report those that contradict what is there."""
    fresh = await event_log.append(connection, entries)
    repeated = [entry for entry in entries if not _is_fresh(entry, fresh)]
    conflicts = await _identity_conflicts(connection, repeated)
    transitions = _transitions(fresh.values())
    disputes = await _append_history(connection, transitions)
    reported = await event_log.append(connection, [*conflicts, *disputes])
    bookings = {recorded.transition.booking_id for recorded, _ in transitions}
    waiting = await status_history.with_gap(connection, bookings) if bookings else []
    await history_gaps.open_gaps(connection, waiting)
    return Outcome(
        entries=[added.entry for added in (*fresh.values(), *reported.values())],
        conflicts=len(reported),
        duplicates=len(repeated) - len(conflicts),
        waiting=waiting,
    )


def _is_fresh(entry: Entry, fresh: dict[Identity, Appended]) -> bool:
    return entry.identity in fresh and fresh[entry.identity].entry is entry


async def _identity_conflicts(connection: Connection, repeated: Sequence[Entry]) -> list[Entry]:
    """Report those whose body contradicts the one that the log has under their identity (BK-10).

    A body that says the same and is written otherwise is kept beside the first (BK-10a).
    """
    identities = {entry.identity for entry in repeated}
    known = await event_log.known(connection, identities)
    require_written("event_log", len(known), len(identities))
    others = [
        (entry, first.entry_id, digest)
        for entry in repeated
        for first in [known[entry.identity]]
        # Once erased, nobody can tell any more.
        if first.salt is not None
        and (digest := payload_digest(first.salt, entry.body)) != first.payload_digest
    ]
    bodies = await event_renderings.first_bodies(
        connection, {entry_id for entry, entry_id, _ in others if has_statement(entry)}
    )
    renderings: list[tuple[int, bytes]] = []
    reports: list[Entry] = []
    for entry, entry_id, digest in others:
        if entry_id in bodies and is_rendering(bodies[entry_id], entry.body):
            renderings.append((entry_id, entry.body))
        else:
            reports.append(identity_conflict(entry, first_entry_id=entry_id, body_digest=digest))
    await event_renderings.append(connection, renderings)
    return reports


_Told = tuple[Recorded, Entry]
"""A transition, and the entry that tells of it."""


def _transitions(appended: Iterable[Appended]) -> list[_Told]:
    return [
        (Recorded(each.entry_id, each.entry.transition, is_erased=False), each.entry)
        for each in appended
        if each.entry.transition is not None
    ]


async def _append_history(connection: Connection, transitions: Collection[_Told]) -> list[Entry]:
    """Append transitions to their histories; returns reports for versions that were told differently."""
    if not transitions:
        return []
    first: dict[Place, _Told] = {}
    for told in transitions:
        first.setdefault(_place(told[0].transition), told)
    taken = await status_history.append(connection, [recorded for recorded, _ in first.values()])
    late = [told for told in transitions if not _stands(told, first, taken)]
    places = {_place(recorded.transition) for recorded, _ in late}
    known = await status_history.known(connection, places)
    require_written("status_history", len(known), len(places))
    return [
        history_conflict(entry, version=recorded.transition.version, first_entry_id=known[place].entry_id)
        for recorded, entry in late
        for place in [_place(recorded.transition)]
        if _contradicts(known[place], recorded.transition)
    ]


def _stands(told: _Told, first: dict[Place, _Told], taken: set[Place]) -> bool:
    place = _place(told[0].transition)
    return place in taken and first[place] is told


def _contradicts(first: Recorded, second: Transition) -> bool:
    if first.is_erased:
        second = replace(second, reason=None, metadata={})
    return first.transition != second


def _place(transition: Transition) -> Place:
    return transition.booking_id, transition.version
