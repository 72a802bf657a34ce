"""Queries of bulk operations, and waiting for one (REC-9b)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from chassis.process.component import pause
from reconciler.adapters import operation_queries
from reconciler.adapters.operation_queries import OperationItemRecord, OperationRecord
from reconciler.handlers.operations import UnknownOperationError

POLL_SECONDS = 0.2
WORKING = ("applying", "reverting")
IDLE_SECONDS_MAX = 15.0


class NotWorkedOnError(Exception):
    """No service works on the operation."""


async def get_operation(database: Database, operation_id: str) -> OperationRecord:
    """Return one operation.

    Raises:
        UnknownOperationError: there is no such operation.
    """
    async with database.connection() as connection:
        operation = await operation_queries.get(connection, operation_id)
    if operation is None:
        raise UnknownOperationError(operation_id)
    return operation


async def list_operations(
    database: Database, *, before: tuple[datetime, str] | None, status: str | None, rows_max: int
) -> Sequence[OperationRecord | UnreadableRow]:
    """Return operations, newest first."""
    async with database.connection() as connection:
        return await operation_queries.newest(connection, before=before, status=status, rows_max=rows_max)


async def count_operations(database: Database, status: str | None) -> int:
    """Count the operations with a status; None: all."""
    async with database.connection() as connection:
        return await operation_queries.count(connection, status)


async def list_items(
    database: Database, operation_id: str, *, after: str | None, outcome: str | None, rows_max: int
) -> Sequence[OperationItemRecord | UnreadableRow]:
    """Return the items of an operation that was started, by id of the exception."""
    async with database.connection() as connection:
        return await operation_queries.items(
            connection, operation_id, after=after, outcome=outcome, rows_max=rows_max
        )


async def wait_for_operation(
    database: Database, operation_id: str, show: Callable[[OperationRecord], None] = lambda _: None
) -> OperationRecord:
    """Return the operation once it is no longer worked on; `show` is called after each look at it.

    Raises:
        UnknownOperationError: there is no such operation.
        NotWorkedOnError: nothing happened to it for IDLE_SECONDS_MAX.
    """
    seen, seen_at = None, time.monotonic()
    while True:
        operation = await get_operation(database, operation_id)
        show(operation)
        if operation.status not in WORKING:
            return operation
        now = operation.status, operation.counts
        if now != seen:
            seen, seen_at = now, time.monotonic()
        elif time.monotonic() - seen_at > IDLE_SECONDS_MAX:
            raise NotWorkedOnError(
                f"operation {operation_id}: no service has worked on it for {IDLE_SECONDS_MAX:g} s;"
                " is `reconciler serve` running? It is kept and goes on when it is"
            )
        await pause(asyncio.Event(), POLL_SECONDS)
