"""The status history's rows: appended once per booking and version, read back whole."""

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

Place = tuple[str, int]
"""Booking id and version."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transition of the history, with the entry that brought it.

    Attributes:
        is_erased: the entry's payload is gone, and with it the transition's reason and metadata.
    """

    entry_id: int
    transition: Transition
    is_erased: bool


async def append(connection: Connection, transitions: Sequence[Recorded]) -> set[Place]:
    """Append those whose place is free; returns the places taken. One transition per place may be given."""
    each = [recorded.transition for recorded in transitions]
    rows = await connection.fetch(
        _APPEND,
        [transition.booking_id for transition in each],
        [transition.version for transition in each],
        [transition.from_status for transition in each],
        [transition.to_status for transition in each],
        [transition.changed_by for transition in each],
        [transition.recorded_at for transition in each],
        [recorded.entry_id for recorded in transitions],
    )
    return {(row["booking_id"], row["version"]) for row in rows}


async def known(connection: Connection, places: Collection[Place]) -> dict[Place, Recorded]:
    """The transitions that stand at these places."""
    rows = await connection.fetch(
        _KNOWN, [booking_id for booking_id, _ in places], [version for _, version in places]
    )
    return {(row["booking_id"], row["version"]): _recorded(row) for row in rows}


async def of_booking(connection: Connection, booking_id: str) -> list[Recorded | UnreadableRow]:
    """Return all transitions of a booking by ascending version, also those after a gap.

    The id of one that cannot be read is its version.
    """
    rows = await stored_rows.fetch(connection, _OF_BOOKING, booking_id, key="version")
    return stored_rows.read_rows(rows, _recorded, key="version")


async def with_gap(connection: Connection, booking_ids: Collection[str]) -> list[str]:
    """Which of these bookings wait for a version."""
    return [row["booking_id"] for row in await connection.fetch(_WITH_GAP, list(booking_ids))]


def _recorded(row: asyncpg.Record) -> Recorded:
    """The row; reason and metadata come from the payload, as long as it is not erased."""
    told = read_transition(row["event_type"], row["body"]) if row["body"] is not None else None
    transition = Transition(
        booking_id=row["booking_id"],
        version=row["version"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        changed_by=row["changed_by"],
        reason=told.reason if told else None,
        metadata=told.metadata if told else {},
        recorded_at=row["recorded_at"],
    )
    return Recorded(row["entry_id"], transition, is_erased=told is None)
