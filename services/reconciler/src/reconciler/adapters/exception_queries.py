"""Queries of exceptions: high first, then oldest first (REC-10)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters.exception_conditions import condition_of
from reconciler.adapters.exception_rows import STATE_COLUMNS, read_state
from reconciler.domain.clocks import Reading
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.filters import ExceptionFilter, Position

_COLUMNS = (
    f"{STATE_COLUMNS}, drift_class, severity_rank, title, explanation, cause, first_seen_at, last_seen_at"
)
_ORDER = "ORDER BY severity_rank, first_seen_at, id"

# The planner takes a read of all rows for as cheap as the index that has every column of the filter. The rows
# are wide: it takes four times as long.
_BY_INDEX = "SET LOCAL enable_seqscan = off"

# The page's ids come from an index alone; only the rows of the page are read.
_LIST = """
SELECT {columns} FROM (
    SELECT id FROM exception WHERE {condition} AND {after} {order} LIMIT {rows_max}
) AS page JOIN exception USING (id) {order}
"""

_COUNT = """
SELECT coalesce(type, 'unknown') AS type, coalesce(severity, 'unknown') AS severity, count(*) FROM exception
WHERE {condition} GROUP BY 1, 2
"""

_GET = f"SELECT {_COLUMNS} FROM exception WHERE id = $1"  # noqa: S608 - a constant

# A sequential read: only a person's command looks so.
_IDS_ENDING = "SELECT id FROM exception WHERE NOT superseded AND right(id::text, length($1)) = $1 LIMIT 3"

_EVENTS = """
SELECT
    event.id, event.kind, event.revision, event.version, event.actor,
    coalesce(typed.reason, event.reason) AS reason,
    event.is_reason_typed IS TRUE AND typed.reason IS NULL AS reason_erased,
    event.details, event.run_id, event.operation_id, event.explanation, event.recorded_at
FROM exception_event AS event
LEFT JOIN exception_event_reason AS typed USING (exception_id, version)
WHERE event.exception_id = $1 ORDER BY event.id
"""


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """One exception. `reconciler.domain.findings` describes `explanation`.

    Attributes:
        amount: what is at stake, signed, in minor units of the state's currency; None if unknown.
        cause: key of the group of exceptions with the same cause (REC-9a).
    """

    state: ExceptionState
    drift_class: str | None
    title: str
    explanation: dict[str, Any]
    amount: int | None
    cause: str
    first_seen_at: datetime
    last_seen_at: datetime
    position: Position

    @property
    def id(self) -> str:
        return self.state.id


@dataclass(frozen=True, slots=True)
class ExceptionEventRecord:
    """One entry of an exception's history, with the explanation of that time."""

    id: str
    kind: str
    revision: int
    version: int | None
    actor: str
    reason: str
    reason_erased: bool
    details: dict[str, Any] | None
    run_id: str | None
    operation_id: str | None
    explanation: dict[str, Any]
    recorded_at: datetime


ExceptionWithHistory = tuple[ExceptionRecord, Sequence[ExceptionEventRecord | UnreadableRow]]
"""An exception and its history, oldest first."""


async def plan_by_index(connection: Connection) -> None:
    """Let the queries of this transaction read the lists' indexes, whatever the filter is."""
    await connection.execute(_BY_INDEX)


async def list_exceptions(
    connection: Connection, query: ExceptionFilter, reading: Reading, *, after: Position | None, rows_max: int
) -> Sequence[ExceptionRecord | UnreadableRow]:
    """Return exceptions after a position."""
    condition = condition_of(query, reading)
    arguments: list[Any] = [*condition.arguments, rows_max]
    rows_max_at = len(arguments)
    place = "true"
    if after is not None:
        arguments += [after.severity_rank, after.first_seen_at, UUID(after.exception_id)]
        first = rows_max_at + 1
        place = f"(severity_rank, first_seen_at, id) > (${first}, ${first + 1}, ${first + 2})"
    statement = _LIST.format(
        columns=_COLUMNS, condition=condition.sql, after=place, order=_ORDER, rows_max=f"${rows_max_at}"
    )
    rows = await stored_rows.fetch(connection, statement, *arguments, key="id")
    return stored_rows.read_rows(rows, _row, key="id", position=lambda row: _position(row).to_key())


async def count(
    connection: Connection, query: ExceptionFilter, reading: Reading
) -> Sequence[tuple[str, str, int]]:
    """Return counts by type and severity over all pages."""
    condition = condition_of(query, reading)
    rows = await connection.fetch(_COUNT.format(condition=condition.sql), *condition.arguments)
    return [(row["type"], row["severity"], row["count"]) for row in rows]


async def get(connection: Connection, exception_id: str) -> ExceptionWithHistory | None:
    """Return one exception with its history, oldest first; None for an unknown id.

    Raises:
        UnreadableRowError: the exception's own row is damaged.
    """
    row = await stored_rows.fetch_one(connection, _GET, UUID(exception_id))
    if row is None:
        return None
    steps = await stored_rows.fetch(connection, _EVENTS, UUID(exception_id), key="id")
    exception = stored_rows.read_row(row, _row, key="id")
    return exception, stored_rows.read_rows(steps, _step, key="id")


async def ids_ending(connection: Connection, end: str) -> Sequence[str]:
    """Return up to three ids that end so."""
    return [str(row["id"]) for row in await connection.fetch(_IDS_ENDING, end)]


def _row(row: asyncpg.Record) -> ExceptionRecord:
    return ExceptionRecord(
        state=read_state(row),
        drift_class=row["drift_class"],
        title=row["title"],
        explanation=json.loads(row["explanation"]),
        amount=None if row["amount"] is None else int(row["amount"]),
        cause=row["cause"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        position=_position(row),
    )


def _position(row: asyncpg.Record) -> Position:
    return Position(row["severity_rank"], row["first_seen_at"], str(row["id"]))


def _step(row: asyncpg.Record) -> ExceptionEventRecord:
    return ExceptionEventRecord(
        id=str(row["id"]),
        kind=row["kind"],
        revision=row["revision"],
        version=row["version"],
        actor=row["actor"],
        reason=row["reason"],
        reason_erased=row["reason_erased"],
        details=None if row["details"] is None else json.loads(row["details"]),
        run_id=None if row["run_id"] is None else str(row["run_id"]),
        operation_id=None if row["operation_id"] is None else str(row["operation_id"]),
        explanation=json.loads(row["explanation"]),
        recorded_at=row["recorded_at"],
    )
