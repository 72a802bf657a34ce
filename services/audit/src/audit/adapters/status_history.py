"""Table `status_history`: one row per booking and version, appended once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import asyncpg

from audit.domain.history import Transition, read_transition
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow

_APPEND = """
INSERT INTO status_history (booking_id, version, from_status, to_status, changed_by, recorded_at, entry_id)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[]
) AS row (booking_id, version, from_status, to_status, changed_by, recorded_at, entry_id)
ORDER BY booking_id, version
ON CONFLICT (booking_id, version) DO NOTHING
RETURNING booking_id, version
"""

_COLUMNS = """
    history.booking_id, history.version, history.from_status, history.to_status, history.changed_by,
    history.recorded_at, history.entry_id, event_log.event_type, event_payload.body
"""

_JOINS = """
JOIN event_log USING (entry_id)
LEFT JOIN event_payload USING (entry_id)
"""

_KNOWN = f"""
SELECT {_COLUMNS} FROM unnest($1::text[], $2::bigint[]) AS wanted (booking_id, version)
JOIN status_history AS history USING (booking_id, version)
{_JOINS}
"""  # noqa: S608 - constants of this file

_OF_BOOKING = f"""
SELECT {_COLUMNS} FROM status_history AS history
{_JOINS}
WHERE history.booking_id = $1 ORDER BY history.version
"""  # noqa: S608 - constants of this file

_WITH_GAP = """
SELECT booking_id FROM status_history WHERE booking_id = ANY($1::text[])
GROUP BY booking_id HAVING max(version) > count(*)
"""

VersionKey = tuple[str, int]
"""Booking id and version."""


@dataclass(frozen=True, slots=True)
class TransitionRecord:
    """A transition of the history, with the entry that reported it.

    Attributes:
        is_erased: the entry's payload was erased, and with it the transition's reason and metadata.
    """

    entry_id: int
    transition: Transition
    is_erased: bool


async def append(connection: Connection, transitions: Sequence[TransitionRecord]) -> set[VersionKey]:
    """Append new versions; return the keys that were appended. The keys given must be distinct."""
    appended = [record.transition for record in transitions]
    rows = await connection.fetch(
        _APPEND,
        [transition.booking_id for transition in appended],
        [transition.version for transition in appended],
        [transition.from_status for transition in appended],
        [transition.to_status for transition in appended],
        [transition.changed_by for transition in appended],
        [transition.recorded_at for transition in appended],
        [record.entry_id for record in transitions],
    )
    return {(row["booking_id"], row["version"]) for row in rows}


async def known(connection: Connection, keys: Collection[VersionKey]) -> dict[VersionKey, TransitionRecord]:
    """Return the transitions under these keys."""
    rows = await connection.fetch(
        _KNOWN, [booking_id for booking_id, _ in keys], [version for _, version in keys]
    )
    return {(row["booking_id"], row["version"]): _recorded(row) for row in rows}


async def of_booking(connection: Connection, booking_id: str) -> list[TransitionRecord | UnreadableRow]:
    """Return all transitions of a booking by ascending version, including those after a gap.

    The id of an unreadable row is its version.
    """
    rows = await stored_rows.fetch(connection, _OF_BOOKING, booking_id, key="version")
    return stored_rows.read_rows(rows, _recorded, key="version")


async def with_gap(connection: Connection, booking_ids: Collection[str]) -> list[str]:
    """Return the bookings that wait for a version."""
    return [row["booking_id"] for row in await connection.fetch(_WITH_GAP, list(booking_ids))]


def _recorded(row: asyncpg.Record) -> TransitionRecord:
    # Reason and metadata come from the payload, until the payload is erased.
    payload = read_transition(row["event_type"], row["body"]) if row["body"] is not None else None
    transition = Transition(
        booking_id=row["booking_id"],
        version=row["version"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        changed_by=row["changed_by"],
        reason=payload.reason if payload else None,
        metadata=payload.metadata if payload else {},
        recorded_at=row["recorded_at"],
    )
    return TransitionRecord(row["entry_id"], transition, is_erased=payload is None)
