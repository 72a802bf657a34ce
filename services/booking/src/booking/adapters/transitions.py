"""Append-only table `status_transition`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from booking.domain.booking import Transition
from booking.domain.statuses import Status
from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId

TABLE = "status_transition"

_APPEND = """
INSERT INTO status_transition (
    booking_id, version, from_status, to_status, changed_by, reason, metadata, is_reason_typed,
    booking_version
)
SELECT * FROM unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::boolean[],
    $9::bigint[]
)
RETURNING booking_id, version, recorded_at, transition_id
"""

_INSERT_REASONS = """
INSERT INTO transition_reason (booking_id, version, reason)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])
"""

_HISTORY = """
SELECT
    transition_id, version, from_status, to_status, changed_by, metadata, recorded_at, booking_version,
    coalesce(status_transition.reason, transition_reason.reason) AS reason,
    is_reason_typed IS TRUE AND transition_reason.reason IS NULL AS reason_erased
FROM status_transition LEFT JOIN transition_reason USING (booking_id, version)
WHERE booking_id = $1 ORDER BY version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One row of a booking's status history, as stored (BK-4).

    Attributes:
        reason: None if none was given or the reason was erased.
        reason_erased: a person gave a reason, and it was erased later.
        booking_version: the booking's version after the transition; None for an older row and for
            hand-written SQL.
    """

    id: str
    from_status: Status | None
    to_status: Status
    changed_by: str
    reason: str | None
    reason_erased: bool
    metadata: dict[str, str]
    version: int
    recorded_at: datetime
    booking_version: int | None

    @property
    def event_id(self) -> str | None:
        """Id of the event that published the transition; None if it is not known."""
        return None if self.booking_version is None else self.id


@dataclass(frozen=True, slots=True)
class RecordedTransition:
    """What the database set in a new row. The event of a transition has the row's id."""

    event_id: str
    recorded_at: datetime


async def append_transitions(
    connection: Connection, transitions: Sequence[Transition]
) -> dict[tuple[BookingId, int], RecordedTransition]:
    """Append transitions. Return event id and time of each, by booking and version."""
    if not transitions:
        return {}
    rows = await connection.fetch(
        _APPEND,
        [transition.booking_id for transition in transitions],
        [transition.version for transition in transitions],
        [transition.from_status for transition in transitions],
        [transition.to_status.value for transition in transitions],
        [transition.changed_by for transition in transitions],
        [None if transition.is_reason_typed else transition.reason for transition in transitions],
        [json.dumps(dict(transition.metadata)) for transition in transitions],
        [transition.is_reason_typed for transition in transitions],
        [transition.sequence for transition in transitions],
    )
    require_written(TABLE, len(rows), len(transitions))
    await _insert_reasons(
        connection, [transition for transition in transitions if transition.is_reason_typed]
    )
    return {
        (BookingId(str(row["booking_id"])), row["version"]): RecordedTransition(
            str(row["transition_id"]), row["recorded_at"]
        )
        for row in rows
    }


# Reasons that people typed have a table of their own, from which they can be erased.
async def _insert_reasons(connection: Connection, transitions: Sequence[Transition]) -> None:
    if transitions:
        await connection.execute(
            _INSERT_REASONS,
            [transition.booking_id for transition in transitions],
            [transition.version for transition in transitions],
            [transition.reason for transition in transitions],
        )


async def read_history(connection: Connection, booking_id: BookingId) -> list[HistoryEntry | UnreadableRow]:
    """Return a booking's status history, oldest first; empty for an unknown booking."""
    rows = await stored_rows.fetch(connection, _HISTORY, booking_id, key="transition_id")
    return stored_rows.read_rows(rows, _entry, key="transition_id")


def _entry(row: asyncpg.Record) -> HistoryEntry:
    return HistoryEntry(
        id=str(row["transition_id"]),
        from_status=None if row["from_status"] is None else Status(row["from_status"]),
        to_status=Status(row["to_status"]),
        changed_by=row["changed_by"],
        reason=row["reason"],
        reason_erased=row["reason_erased"],
        metadata=json.loads(row["metadata"]),
        version=row["version"],
        recorded_at=row["recorded_at"],
        booking_version=row["booking_version"],
    )
