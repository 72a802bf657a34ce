"""Queries of bulk operations and their items (REC-9b)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.domain.operations import Outcome

# A selection of thousands of ids is shown as its items.
_COLUMNS = """
    id, action, arguments, actor, status, planned_count, sums, without_amount, token_expires_at,
    stepped, unchanged, refused, reverted, not_reverted,
    created_at, started_at, finished_at, reverted_by, revert_started_at, revert_finished_at, error,
    has_reason, selection -> 'filter' AS filter,
    (SELECT reason FROM exception_operation_reason WHERE operation_id = id AND step = 'apply') AS reason,
    (
        SELECT reason FROM exception_operation_reason WHERE operation_id = id AND step = 'revert'
    ) AS revert_reason
"""

_GET = f"SELECT {_COLUMNS} FROM exception_operation WHERE id = $1"  # noqa: S608 - a constant

_LIST = f"""
SELECT {_COLUMNS} FROM exception_operation
WHERE ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2)) AND ($3::text IS NULL OR status = $3)
ORDER BY created_at DESC, id DESC
LIMIT $4
"""  # noqa: S608 - a constant

_COUNT = "SELECT count(*) FROM exception_operation WHERE $1::text IS NULL OR status = $1"

_ITEMS = """
SELECT
    item.exception_id, item.outcome, item.detail, item.version, item.decided_at,
    exception.booking_id, exception.title, exception.status, exception.currency, exception.amount
FROM exception_operation_item AS item LEFT JOIN exception ON exception.id = item.exception_id
WHERE item.operation_id = $1 AND ($2::text IS NULL OR item.outcome = $2)
    AND ($3::uuid IS NULL OR item.exception_id > $3)
ORDER BY item.exception_id
LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """A bulk operation.

    Attributes:
        query: members of the filter; None if ids were selected, or the selection was erased.
        planned_count: exceptions of the dry run; once started, of the operation.
        counts: of the outcomes; they add up to `planned_count`.
        reason: what was typed; None if nothing was, or it was erased.
    """

    id: str
    action: str
    arguments: dict[str, Any]
    query: dict[str, Any] | None
    reason: str | None
    reason_erased: bool
    actor: str
    status: str
    planned_count: int
    sums: dict[str, int]
    without_amount: int
    counts: dict[Outcome, int]
    token_expires_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    reverted_by: str | None
    revert_reason: str | None
    revert_started_at: datetime | None
    revert_finished_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class OperationItemRecord:
    """An exception of an operation as it is now, and what the operation did to it.

    Attributes:
        detail: kind of the step, or why there was none.
        version: of the exception after the operation's last step; None without one.
    """

    exception_id: str
    outcome: str
    detail: str | None
    version: int | None
    decided_at: datetime | None
    booking_id: str | None
    title: str | None
    status: str | None
    currency: str | None
    amount: int | None


async def get(connection: Connection, operation_id: str) -> OperationRecord | None:
    """Return one operation; None for an unknown id.

    Raises:
        UnreadableRowError: the row is damaged.
    """
    row = await stored_rows.fetch_one(connection, _GET, UUID(operation_id))
    return None if row is None else stored_rows.read_row(row, _operation, key="id")


async def newest(
    connection: Connection, *, before: tuple[datetime, str] | None, status: str | None, rows_max: int
) -> Sequence[OperationRecord | UnreadableRow]:
    """Return operations, newest first; `before` is time and id of the previous page's last one."""
    created_at, operation_id = before or (None, None)
    arguments = (created_at, None if operation_id is None else UUID(operation_id), status, rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="id")
    return stored_rows.read_rows(
        rows, _operation, key="id", position=lambda row: (row["created_at"].isoformat(), str(row["id"]))
    )


async def count(connection: Connection, status: str | None) -> int:
    """Count the operations with a status; None: all."""
    return await connection.fetchval(_COUNT, status)


async def items(
    connection: Connection, operation_id: str, *, after: str | None, outcome: str | None, rows_max: int
) -> Sequence[OperationItemRecord | UnreadableRow]:
    """Return the items of an operation, by id of the exception."""
    arguments = (UUID(operation_id), outcome, None if after is None else UUID(after), rows_max)
    rows = await stored_rows.fetch(connection, _ITEMS, *arguments, key="exception_id")
    return stored_rows.read_rows(
        rows, _item, key="exception_id", position=lambda row: (str(row["exception_id"]),)
    )


def _operation(row: asyncpg.Record) -> OperationRecord:
    outcomes: Sequence[Outcome] = ("stepped", "unchanged", "refused", "reverted", "not_reverted")
    counts: dict[Outcome, int] = {name: row[name] for name in outcomes}
    is_known = {"id", "arguments", "query", "reason_erased", "sums", "counts"}
    return OperationRecord(
        id=str(row["id"]),
        arguments=json.loads(row["arguments"]),
        query=None if row["filter"] is None else json.loads(row["filter"]),
        reason_erased=row["has_reason"] and row["reason"] is None,
        sums=json.loads(row["sums"]),
        counts={"pending": row["planned_count"] - sum(counts.values()), **counts},
        **{name: row[name] for name in OperationRecord.__slots__ if name not in is_known},
    )


def _item(row: asyncpg.Record) -> OperationItemRecord:
    computed = {"exception_id", "amount"}
    return OperationItemRecord(
        exception_id=str(row["exception_id"]),
        amount=None if row["amount"] is None else int(row["amount"]),
        **{name: row[name] for name in OperationItemRecord.__slots__ if name not in computed},
    )
