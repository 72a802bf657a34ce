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
from reconciler.domain.filters import ExceptionFilter, Position

_COLUMNS = """
    id, type, drift_class, severity, severity_rank, status, booking_id, title, explanation, occurrences,
    revision, version, assignee, first_seen_at, last_seen_at, resolved_at, resolution
"""

# Exceptions that may pass by themselves are a list of their own.
_FILTER = """
    waiting IS NULL AND NOT superseded
    AND ($1::text IS NULL OR type = $1) AND ($2::text IS NULL OR status = $2)
    AND ($3::text IS NULL OR severity = $3)
"""

_LIST = f"""
SELECT {_COLUMNS} FROM exception
WHERE {_FILTER} AND ($4::bigint IS NULL OR (severity_rank, first_seen_at, id) > ($4, $5, $6))
ORDER BY severity_rank, first_seen_at, id
LIMIT $7
"""  # noqa: S608 - a constant

_COUNT = f"""
SELECT coalesce(type, 'unknown') AS type, coalesce(severity, 'unknown') AS severity, count(*) FROM exception
WHERE {_FILTER} GROUP BY 1, 2
"""  # noqa: S608 - a constant

_GET = f"SELECT {_COLUMNS} FROM exception WHERE id = $1"  # noqa: S608 - a constant

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
    """One exception. `reconciler.domain.findings` describes `explanation`."""

    id: str
    type: str
    drift_class: str | None
    severity: str
    status: str
    booking_id: str | None
    title: str
    explanation: dict[str, Any]
    occurrences: int
    revision: int
    version: int
    assignee: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    position: Position


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


async def list_exceptions(
    connection: Connection, query: ExceptionFilter, *, after: Position | None, rows_max: int
) -> Sequence[ExceptionRecord | UnreadableRow]:
    """Return exceptions after a position."""
    position = (
        (None, None, None)
        if after is None
        else (after.severity_rank, after.first_seen_at, UUID(after.exception_id))
    )
    arguments = (query.type, query.status, query.severity, *position, rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="id")
    return stored_rows.read_rows(rows, _row, key="id", position=lambda row: _position(row).to_key())


async def count(connection: Connection, query: ExceptionFilter) -> Sequence[tuple[str, str, int]]:
    """Return counts by type and severity over all pages."""
    rows = await connection.fetch(_COUNT, query.type, query.status, query.severity)
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


def _row(row: asyncpg.Record) -> ExceptionRecord:
    exact = {"id", "explanation", "position"}
    columns = {name: row[name] for name in ExceptionRecord.__slots__ if name not in exact}
    return ExceptionRecord(
        id=str(row["id"]),
        explanation=json.loads(row["explanation"]),
        position=_position(row),
        **columns,
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
