"""Queries of exceptions: lists, groups, export."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow, UnreadableRowError
from contracts.times import parse_time
from reconciler.adapters import exception_groups, exception_queries
from reconciler.adapters.exception_groups import GroupRecord
from reconciler.adapters.exception_queries import ExceptionEventRecord, ExceptionRecord
from reconciler.domain.clocks import Reading
from reconciler.domain.filters import ExceptionFilter, GroupPosition, Position

EXPORT_ROWS = 500


@dataclass(frozen=True, slots=True)
class GroupList:
    """A page of groups, and counts of groups and exceptions over all pages."""

    rows: Sequence[GroupRecord | UnreadableRow]
    groups: int
    exceptions: int


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
        await exception_queries.plan_by_index(connection)
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


async def list_groups(
    database: Database,
    query: ExceptionFilter,
    reading: Reading,
    *,
    after: GroupPosition | None,
    rows_max: int,
) -> GroupList:
    """Return the groups of the filter's exceptions, most at stake first (REC-9a)."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        await exception_queries.plan_by_index(connection)
        rows = await exception_groups.list_groups(connection, query, reading, after=after, rows_max=rows_max)
        groups, exceptions = await exception_groups.count_groups(connection, query, reading)
    return GroupList(rows, groups, exceptions)


async def export_exceptions(
    database: Database, query: ExceptionFilter, reading: Reading
) -> AsyncGenerator[Sequence[ExceptionRecord | UnreadableRow]]:
    """Yield all exceptions of a filter, in the order of the list and of one moment, some hundred at a time.

    Raises:
        UnreadableRowError: no row of a page has a readable position, so that no page can follow.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        await exception_queries.plan_by_index(connection)
        after: Position | None = None
        shown: set[str] = set()
        while True:
            rows = await exception_queries.list_exceptions(
                connection, query, reading, after=after, rows_max=EXPORT_ROWS
            )
            # A damaged row without a position comes again on the next page.
            fresh = [row for row in rows if row.id not in shown]
            if fresh:
                yield fresh
            if len(rows) < EXPORT_ROWS:
                return
            positions = [position for row in rows if (position := _position(row)) is not None]
            if not positions:
                raise UnreadableRowError(next(row for row in rows if isinstance(row, UnreadableRow)))
            after = positions[-1]
            shown = {row.id for row in rows if _position(row) is None}


def _position(row: ExceptionRecord | UnreadableRow) -> Position | None:
    if isinstance(row, ExceptionRecord):
        return row.position
    if row.position is None:
        return None
    rank, first_seen_at, exception_id = row.position
    return Position(int(rank), parse_time(str(first_seen_at)), str(exception_id))
