"""Queries of the queue's clocks: counts, exceptions that became overdue, times that have ended (REC-9c)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg

from chassis.postgres import Connection
from reconciler.adapters.exception_conditions import by_severity
from reconciler.domain.classify import Severity
from reconciler.domain.clocks import Reading
from reconciler.domain.exceptions import ExceptionStatus

ClockName = Literal["acknowledge", "resolve"]
CLOCKS: tuple[ClockName, ...] = ("acknowledge", "resolve")
NO_ID = "00000000-0000-0000-0000-000000000000"
"""Less than the id of any exception."""

_OPEN = """
SELECT type, severity, count(*) FROM exception
WHERE NOT superseded AND waiting IS NULL AND status <> 'resolved' GROUP BY type, severity
"""

# A clock that stands still has no start, and is not overdue.
_IS_DUE = """
NOT superseded AND waiting IS NULL AND status <> 'resolved' AND {pending}
AND clock_running_since - clock_counted + {target} <= {at}
"""
_PENDING: Mapping[ClockName, str] = {"acknowledge": "acknowledged_after IS NULL", "resolve": "true"}

_OVERDUE = "SELECT severity, count(*) FROM exception WHERE {is_due} GROUP BY severity"

# A notice older than the clock's start is of an earlier round, or of this one before a long rest. The history
# decides; the second kind is only dated anew.
_NOTICE = """
WITH due AS (
    SELECT
        id, type, booking_id, severity, status, assignee,
        clock_running_since - clock_counted + {target} AS due_at
    FROM exception
    LEFT JOIN exception_overdue AS notice ON notice.exception_id = exception.id AND notice.clock = {clock}
    WHERE {is_due} AND id > {after}
        AND (notice.noticed_at IS NULL OR notice.noticed_at < clock_running_since - clock_counted)
    ORDER BY id
    LIMIT {rows_max}
),
noticed AS (
    INSERT INTO exception_overdue (exception_id, clock, round, noticed_at)
    SELECT
        id, {clock},
        coalesce((
            SELECT max(version) FROM exception_event AS ended
            WHERE ended.exception_id = due.id AND ended.kind = 'resolved' AND NOT EXISTS (
                SELECT FROM exception_event AS taken_back
                WHERE taken_back.exception_id = ended.exception_id AND taken_back.kind = 'reverted'
                    AND taken_back.version = ended.version + 1
            )
        ), 0),
        {at}
    FROM due
    ON CONFLICT (exception_id, clock) DO UPDATE SET round = excluded.round, noticed_at = excluded.noticed_at
    RETURNING exception_id, old.round IS DISTINCT FROM new.round AS is_new
)
SELECT due.*, noticed.is_new FROM due JOIN noticed ON noticed.exception_id = due.id ORDER BY due.id
"""

_ENDED = """
SELECT
    CASE event.kind WHEN 'resolved' THEN 'resolve' ELSE 'acknowledge' END AS clock,
    exception.severity,
    CASE event.kind WHEN 'resolved' THEN resolved_after ELSE acknowledged_after END AS after
FROM exception_event AS event JOIN exception ON exception.id = event.exception_id
WHERE event.kind IN ('acknowledged', 'resolved') AND event.recorded_at >= $1 AND event.recorded_at < $2
"""


@dataclass(frozen=True, slots=True)
class OverdueException:
    """An exception whose time to acknowledge or to resolve is over.

    Attributes:
        is_new: not noticed in this round of work yet.
    """

    id: str
    type: str
    booking_id: str | None
    severity: Severity
    status: ExceptionStatus
    assignee: str | None
    due_at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class EndedTime:
    """A time until an acknowledgement or a resolution."""

    clock: ClockName
    severity: str
    after: timedelta


async def count_open(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Return the exceptions that people have to work on, by type and severity."""
    return {(row["type"], row["severity"]): row["count"] for row in await connection.fetch(_OPEN)}


async def count_overdue(connection: Connection, reading: Reading) -> Mapping[tuple[ClockName, str], int]:
    """Return the overdue exceptions by clock and severity."""
    counts: dict[tuple[ClockName, str], int] = {}
    for clock in CLOCKS:
        arguments = _Arguments()
        target = by_severity(_targets(reading, clock), arguments.place)
        is_due = _is_due(clock, target, arguments.place_time(reading))
        for row in await connection.fetch(_OVERDUE.format(is_due=is_due), *arguments.values):
            counts[clock, row["severity"]] = row["count"]
    return counts


async def notice_overdue(
    connection: Connection, clock: ClockName, reading: Reading, *, after: str, rows_max: int
) -> Sequence[OverdueException]:
    """Note exceptions as overdue and return them by id.

    Args:
        connection: in a transaction.
        clock: the one that is over.
        reading: time and targets.
        after: id of the last one of the page before; NO_ID begins.
        rows_max: exceptions of a page; fewer are the last ones.
    """
    arguments = _Arguments()
    target = by_severity(_targets(reading, clock), arguments.place)
    at = arguments.place_time(reading)
    statement = _NOTICE.format(
        target=target,
        is_due=_is_due(clock, target, at),
        clock=f"{arguments.place(clock)}::text",
        at=at,
        after=f"{arguments.place(after)}::uuid",
        rows_max=f"{arguments.place(rows_max)}::bigint",
    )
    rows = await connection.fetch(statement, *arguments.values)
    return [_overdue(row) for row in rows]


async def take_ended(connection: Connection, *, until: datetime) -> Sequence[EndedTime]:
    """Return times that ended since the last call of any replica; empty while another one reads."""
    mark = await connection.fetchval(
        "SELECT observed_until FROM exception_clock_reader FOR UPDATE SKIP LOCKED"
    )
    if mark is None or mark >= until:
        return []
    await connection.execute("UPDATE exception_clock_reader SET observed_until = $1", until)
    rows = await connection.fetch(_ENDED, mark, until)
    return [
        EndedTime(row["clock"], row["severity"], row["after"]) for row in rows if row["after"] is not None
    ]


def _overdue(row: asyncpg.Record) -> OverdueException:
    same = ("type", "booking_id", "severity", "status", "assignee", "due_at", "is_new")
    return OverdueException(str(row["id"]), **{name: row[name] for name in same})


class _Arguments:
    """Values of a statement's parameters, in the order of their places."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def place(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def place_time(self, reading: Reading) -> str:
        return f"{self.place(reading.at)}::timestamptz"


def _targets(reading: Reading, clock: ClockName) -> Mapping[Severity, timedelta]:
    return reading.targets.acknowledge if clock == "acknowledge" else reading.targets.resolve


def _is_due(clock: ClockName, target: str, at: str) -> str:
    return _IS_DUE.format(pending=_PENDING[clock], target=target, at=at)
