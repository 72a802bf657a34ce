"""Executes queued runs, one at a time in the whole deployment.

One process holds a session advisory lock on a connection of its own. When the process dies, the lock ends
with the connection, and another process resumes the run after its last committed page (REC-11). The server
ends the session of a silent process.
"""

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database
from chassis.postgres.advisory_locks import RECONCILER_RUNS
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check
from reconciler.adapters.booking_view import PAGE_ROWS_MAX
from reconciler.domain.counts import PageCounts
from reconciler.domain.rules import Rules
from reconciler.domain.runs import ATTEMPTS_MAX, ActiveRun
from reconciler.handlers import execution
from reconciler.handlers.execution import Execution
from reconciler.handlers.pacing import Pacing
from reconciler.handlers.read_ahead import PageReader

_log = get_logger(__name__)

POLL_SECONDS = 0.25
# The server ends a silent executor's session after this time. The longest wait between two of its statements
# is reading a page (READ_SECONDS_MAX) and evaluating it.
SILENT_SECONDS_MAX = 30

_TRY_LOCK = "SELECT pg_try_advisory_lock($1)"


class RunExecutor(LoopComponent):
    """Claims and executes queued runs until stopped; the next executor resumes after the last page.

    Args:
        database: the reconciler's own.
        bookings: booking's database as the SELECT-only role.
        rules: what counts as a difference.
        metrics: `bookings_checked_total` by outcome, `runs_completed_total`.
        zone: of the business.
        page_rows_max: bookings per transaction.
        attempts_max: attempts at one page before the run fails.
    """

    name = "executor"

    def __init__(
        self,
        database: Database,
        bookings: Database,
        rules: Rules,
        metrics: Metrics,
        *,
        zone: ZoneInfo,
        page_rows_max: int = PAGE_ROWS_MAX,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self._database = database
        self._execution = Execution(database, bookings, rules, zone, page_rows_max, attempts_max)
        self._pacing = Pacing(bookings)
        self._checked = metrics.counter("bookings_checked")
        self._completed = metrics.counter("runs_completed")
        self._is_owner = False

    async def check(self) -> Check:
        """Healthy while pages succeed. The detail says whether this replica executes runs or stands by."""
        check = await self._loop.check()
        return check if not check.ok else Check(ok=True, detail="owner" if self._is_owner else "standby")

    async def _run(self, stopping: asyncio.Event) -> None:
        session = await self._database.dedicated(idle_session_timeout=f"{SILENT_SECONDS_MAX}s")
        try:
            while not stopping.is_set():
                if not self._is_owner:
                    self._is_owner = await session.fetchval(_TRY_LOCK, RECONCILER_RUNS)
                run = await self._claim(session) if self._is_owner else None
                if run is not None:
                    await self._execute(session, run, stopping)
                    continue
                self._loop.recovered()
                await pause(stopping, POLL_SECONDS)
        finally:
            self._is_owner = False
            session.terminate()

    async def _claim(self, session: Connection) -> ActiveRun | None:
        return await execution.claim_run(session, attempts_max=self._execution.attempts_max)

    async def _execute(self, session: Connection, run: ActiveRun, stopping: asyncio.Event) -> None:
        _log.info("run claimed", run_id=run.run_id, after=run.after_booking_id, attempts=run.attempts)
        reader = self._execution.reader(run)
        try:
            await self._process_pages(session, run, reader, stopping)
        finally:
            await reader.close()

    async def _process_pages(
        self, session: Connection, run: ActiveRun, reader: PageReader, stopping: asyncio.Event
    ) -> None:
        try:
            await self._pacing.begin()
            while not stopping.is_set():
                page = await execution.process_page(session, self._execution, run, reader)
                self._loop.recovered()
                if isinstance(page, str):
                    if page == "completed":
                        self._completed.inc()
                    _log.info("run ended", run_id=run.run_id, status=page)
                    return
                run = replace(run, after_booking_id=page.reached)
                self._count(page.counts)
                await pause(stopping, await self._pacing.pause_seconds(worked=page.seconds))
        except Exception as error:
            await execution.note_failure(session, run, error)
            raise

    def _count(self, counts: PageCounts) -> None:
        for outcome in ("clean", "drifted", "skipped", "errored"):
            self._checked.labels(outcome).inc(getattr(counts, outcome))
