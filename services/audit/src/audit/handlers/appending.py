"""Append a batch: entries, reports of contradictions, and the status history (AU-1, AU-2)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from audit.adapters import event_log, event_renderings, history_gaps, status_history
from audit.adapters.event_log import Appended
from audit.adapters.status_history import TransitionRecord, VersionKey
from audit.domain.digest import payload_digest
from audit.domain.entries import Entry, EventIdentity, history_conflict, identity_conflict
from audit.domain.history import Transition
from audit.domain.renderings import has_statement, is_rendering
from chassis.messaging.failures import require_written
from chassis.postgres import Connection


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a batch.

    Attributes:
        entries: new entries, including reports of conflicts.
        conflicts: reports of a known event id with another body, or of a known version with another content.
        duplicates: messages that added nothing.
        waiting: bookings of this batch whose history waits for a missing version.
    """

    entries: list[Entry]
    conflicts: int
    duplicates: int
    waiting: list[str]


async def append_entries(connection: Connection, entries: Sequence[Entry]) -> Outcome:
    """Append entries with a new identity, and report entries that contradict the log.

    The caller holds the transaction.
    """
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


def _is_fresh(entry: Entry, fresh: dict[EventIdentity, Appended]) -> bool:
    return entry.identity in fresh and fresh[entry.identity].entry is entry


async def _identity_conflicts(connection: Connection, repeated: Sequence[Entry]) -> list[Entry]:
    """Return reports of entries whose body contradicts the log's entry of the same identity (BK-10).

    A body with the same statement in another rendering is stored with the first entry (BK-10a).
    """
    identities = {entry.identity for entry in repeated}
    known = await event_log.known(connection, identities)
    require_written("event_log", len(known), len(identities))
    others = [
        (entry, first.entry_id, digest)
        for entry in repeated
        for first in [known[entry.identity]]
        # An erased body cannot be compared.
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


# A transition, and the entry that reports it.
_Reported = tuple[TransitionRecord, Entry]


def _transitions(appended: Iterable[Appended]) -> list[_Reported]:
    return [
        (TransitionRecord(each.entry_id, each.entry.transition, is_erased=False), each.entry)
        for each in appended
        if each.entry.transition is not None
    ]


async def _append_history(connection: Connection, transitions: Collection[_Reported]) -> list[Entry]:
    """Append transitions to their histories. Return reports of known versions with another content."""
    if not transitions:
        return []
    first: dict[VersionKey, _Reported] = {}
    for reported in transitions:
        first.setdefault(_key(reported[0].transition), reported)
    appended = await status_history.append(connection, [record for record, _ in first.values()])
    repeated = [reported for reported in transitions if not _is_appended(reported, first, appended)]
    keys = {_key(record.transition) for record, _ in repeated}
    known = await status_history.known(connection, keys)
    require_written("status_history", len(known), len(keys))
    return [
        history_conflict(entry, version=record.transition.version, first_entry_id=known[key].entry_id)
        for record, entry in repeated
        for key in [_key(record.transition)]
        if _contradicts(known[key], record.transition)
    ]


def _is_appended(reported: _Reported, first: dict[VersionKey, _Reported], appended: set[VersionKey]) -> bool:
    key = _key(reported[0].transition)
    return key in appended and first[key] is reported


def _contradicts(first: TransitionRecord, second: Transition) -> bool:
    if first.is_erased:
        second = replace(second, reason=None, metadata={})
    return first.transition != second


def _key(transition: Transition) -> VersionKey:
    return transition.booking_id, transition.version
