"""Queries of exceptions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters import exception_queries
from reconciler.adapters.exception_queries import ExceptionEventRecord, ExceptionRecord
from reconciler.domain.clocks import Reading
from reconciler.domain.filters import ExceptionFilter, Position


@dataclass(frozen=True, slots=True)
class ExceptionList:
    """A page of exceptions, and counts over all pages."""

    rows: Sequence[ExceptionRecord | UnreadableRow]
    total: int
    by_type: dict[str, int]
    by_severity: dict[str, int]


async def list_exceptions(
    database: Database, query: ExceptionFilter, reading: Reading, *, after: Position | None, rows_max: int
) -> ExceptionList:
    """Return exceptions, high first, then oldest first (REC-10)."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        rows = await exception_queries.list_exceptions(
            connection, query, reading, after=after, rows_max=rows_max
        )
        counts = await exception_queries.count(connection, query, reading)
    by_type: Counter[str] = Counter()
    by_severity: Counter[str] = Counter()
    for kind, severity, count in counts:
        by_type[kind] += count
        by_severity[severity] += count
    return ExceptionList(rows, by_type.total(), dict(by_type), dict(by_severity))


async def get_exception(
    database: Database, exception_id: str
) -> tuple[ExceptionRecord, Sequence[ExceptionEventRecord | UnreadableRow]] | None:
    """Return one exception with its history; None for an unknown id."""
    async with database.connection() as connection:
        return await exception_queries.get(connection, exception_id)
