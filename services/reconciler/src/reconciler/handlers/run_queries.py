"""Queries of runs, and of the findings of dry runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters import run_findings, run_queries
from reconciler.adapters.run_findings import FindingRecord
from reconciler.adapters.run_queries import RunRecord


@dataclass(frozen=True, slots=True)
class FindingList:
    """A page of findings, and counts over all pages."""

    rows: Sequence[FindingRecord | UnreadableRow]
    total: int
    by_type: dict[str, int]
    by_severity: dict[str, int]


async def get_run(database: Database, run_id: str) -> RunRecord | None:
    """Return one run; None for an unknown id."""
    async with database.connection() as connection:
        return await run_queries.get(connection, run_id)


async def list_runs(
    database: Database, *, before: tuple[datetime, str] | None, rows_max: int
) -> Sequence[RunRecord | UnreadableRow]:
    """Return runs, newest first."""
    async with database.connection() as connection:
        return await run_queries.newest(connection, before=before, rows_max=rows_max)


async def count_runs(database: Database) -> int:
    """Count the runs."""
    async with database.connection() as connection:
        return await run_queries.count(connection)


async def list_findings(
    database: Database, run_id: str, *, after: tuple[int, int] | None, rows_max: int
) -> FindingList:
    """Return the findings of a dry run, high first."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        rows = await run_findings.list_findings(connection, run_id, after=after, rows_max=rows_max)
        counts = await run_findings.count(connection, run_id)
    by_type: Counter[str] = Counter()
    by_severity: Counter[str] = Counter()
    for kind, severity, count in counts:
        by_type[kind] += count
        by_severity[severity] += count
    return FindingList(rows, by_type.total(), dict(by_type), dict(by_severity))
