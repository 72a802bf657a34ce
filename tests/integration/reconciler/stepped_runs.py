"""Runs executed page by page by a test, in place of the service's executor."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.postgres import Connection, Database
from harness import Stack
from reconciler.adapters import run_queries, runs
from reconciler.adapters.run_queries import RunRecord
from reconciler.domain.rules import Rules
from reconciler.domain.runs import ActiveRun, RequestedRun
from reconciler.domain.scopes import parse_scope
from reconciler.handlers.execution import Execution, claim_run, process_page

PAGE_ROWS = 2


@dataclass(frozen=True, slots=True)
class Steps:
    """An executor whose pages a test commits one by one."""

    stack: Stack
    session: Connection
    execution: Execution

    async def begin(self, scope: str = "all", *, is_dry_run: bool = False) -> ActiveRun:
        """Request, queue and claim a run."""
        now = clock.now()
        request = RequestedRun(clock.new_id(), "api", None, "x", now, parse_scope(scope), is_dry_run)
        await runs.queue(self.session, request, queued_at=now)
        run = await claim_run(self.session)
        assert run is not None
        assert run.run_id == request.run_id
        return run

    async def page(self, run: ActiveRun) -> ActiveRun | str:
        """Commit the next page. Return the run after it, or how the run ended."""
        reader = self.execution.reader(run)
        try:
            done = await process_page(self.session, self.execution, run, reader)
        finally:
            await reader.close()
        return done if isinstance(done, str) else replace(run, after_booking_id=done.reached)

    async def finish(self, run: ActiveRun) -> RunRecord:
        """Commit all pages that are left and return the run."""
        step: ActiveRun | str = run
        while not isinstance(step, str):
            step = await self.page(step)
        return await self.record(run)

    async def run(self, scope: str = "all", *, is_dry_run: bool = False) -> RunRecord:
        """Execute a whole run."""
        return await self.finish(await self.begin(scope, is_dry_run=is_dry_run))

    async def record(self, run: ActiveRun) -> RunRecord:
        record = await run_queries.get(self.session, run.run_id)
        assert record is not None
        return record

    async def statuses(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the status of the exception of each of these bookings."""
        sql = "SELECT booking_id, status FROM exception WHERE booking_id = ANY($1::text[])"
        rows = await self.session.fetch(sql, ids)
        return {row["booking_id"]: row["status"] for row in rows}


@asynccontextmanager
async def stepping(stack: Stack) -> AsyncGenerator[Steps]:
    """Open the reconciler's database and booking's view as the service does. No service runs."""
    database = Database(stack.database("reconciler").dsn("reconciler"), application_name="steps")
    bookings = Database(
        stack.database("booking").dsn("reconciler_booking_view"), application_name="steps", read_only=True
    )
    rules = Rules(2, timedelta(hours=24))
    execution = Execution(database, bookings, rules, ZoneInfo("America/Chicago"), page_rows_max=PAGE_ROWS)
    await database.start()
    await bookings.start()
    session = await database.dedicated()
    try:
        yield Steps(stack, session, execution)
    finally:
        await session.close()
        await bookings.stop()
        await database.stop()
