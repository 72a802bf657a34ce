"""Answers to questions: runs and exceptions as they stand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters import exception_list, run_list
from reconciler.adapters.exception_list import ExceptionRow, ExceptionStep, Filter, Position
from reconciler.adapters.run_list import RunView


@dataclass(frozen=True, slots=True)
class WorkList:
    """A page of exceptions, and counts over all pages."""

    rows: Sequence[ExceptionRow | UnreadableRow]
    total: int
    by_type: dict[str, int]
    by_severity: dict[str, int]


async def exceptions(
    database: Database, wanted: Filter, *, after: Position | None, rows_max: int
) -> WorkList:
    """Exceptions in order of work: high first, then oldest first (REC-10)."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        rows = await exception_list.work_list(connection, wanted, after=after, rows_max=rows_max)
        counted = await exception_list.counts(connection, wanted)
    by_type: Counter[str] = Counter()
    by_severity: Counter[str] = Counter()
    for kind, severity, count in counted:
        by_type[kind] += count
        by_severity[severity] += count
    return WorkList(rows, by_type.total(), dict(by_type), dict(by_severity))


async def exception(
    database: Database, exception_id: str
) -> tuple[ExceptionRow, Sequence[ExceptionStep | UnreadableRow]] | None:
    """One exception with its history; None if there is none of this id."""
    async with database.connection() as connection:
        return await exception_list.get(connection, exception_id)


async def run(database: Database, run_id: str) -> RunView | None:
    """One run; None if there is none of this id."""
    async with database.connection() as connection:
        return await run_list.get(connection, run_id)


async def runs(
    database: Database, *, before: tuple[datetime, str] | None, rows_max: int
) -> Sequence[RunView | UnreadableRow]:
    """Runs, newest request first."""
    async with database.connection() as connection:
        return await run_list.newest(connection, before=before, rows_max=rows_max)
