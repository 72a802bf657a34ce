"""Execute a run, one page per transaction: a crash repeats one page (REC-11).

All writes use the executor's own connection, which holds its lock: an executor that lost the lock cannot
write.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.messaging import outbox
from chassis.messaging.failures import classify
from chassis.postgres import Connection, Database
from contracts.reconciliation import RunCompleted, RunFailed, RunStarted
from reconciler.adapters import run_findings, run_pages, run_queries, runs
from reconciler.adapters.booking_view import ViewMismatchError, estimate_bookings
from reconciler.domain.counts import PageCounts, count_page, sum_by_outcome
from reconciler.domain.obstacles import error_line
from reconciler.domain.rules import Rules
from reconciler.domain.run_check import figures_problem
from reconciler.domain.runs import ATTEMPTS_MAX, STALLED_HOURS_MAX, ActiveRun, RunEnd
from reconciler.domain.scopes import Scope, ScopeError, parse_scope
from reconciler.handlers.exception_queue import queue_findings
from reconciler.handlers.outgoing_events import about_run, booking_errored
from reconciler.handlers.read_ahead import EvaluatedPage, PageReader
from reconciler.handlers.run_cancellation import run_cancelled
from reconciler.handlers.stale_exceptions import resolve_stale

# Findings of dry runs are deleted by the first dry run after this time.
DRY_RUN_DAYS = 30


@dataclass(frozen=True, slots=True)
class CommittedPage:
    """A page that was committed.

    Attributes:
        reached: its last booking.
        counts: of its bookings.
        seconds: that the run worked on it.
    """

    reached: str
    counts: PageCounts
    seconds: float


@dataclass(frozen=True, slots=True)
class Execution:
    """What executing runs needs besides the executor's own connection.

    Attributes:
        database: the reconciler's own, for numbers of evidence.
        bookings: booking's database as the SELECT-only role.
        rules: what counts as a difference.
        zone: of the business.
        page_rows_max: bookings per transaction.
        attempts_max: attempts at one page before the run fails.
    """

    database: Database
    bookings: Database
    rules: Rules
    zone: ZoneInfo
    page_rows_max: int
    attempts_max: int = ATTEMPTS_MAX

    def reader(self, run: ActiveRun) -> PageReader:
        """Return a reader of the pages after the run's cursor."""
        return PageReader(
            self.database,
            self.bookings,
            parse_scope(run.scope),
            self.zone,
            self.rules,
            self.page_rows_max,
            run.after_booking_id,
        )


async def claim_run(connection: Connection, *, attempts_max: int = ATTEMPTS_MAX) -> ActiveRun | None:
    """Claim the next run, new or resumed; None without a run.

    A run that was claimed more than `attempts_max` times at one page, or whose scope cannot be read, is
    marked failed instead.
    """
    async with connection.transaction():
        claimed = await runs.claim(connection, now=clock.now())
        if claimed is None:
            return None
        run, is_new = claimed
        if problem := _claim_problem(run, attempts_max, now=clock.now()):
            await _fail(connection, run, problem)
            return None
        if is_new:
            await outbox.append(connection, [about_run(run.run_id, _started(run))])
            if run.is_dry_run:
                await run_findings.delete_old(connection, before=clock.now() - timedelta(days=DRY_RUN_DAYS))
    return run


async def process_page(
    connection: Connection, execution: Execution, run: ActiveRun, reader: PageReader
) -> CommittedPage | RunEnd:
    """Evaluate and commit the page after the run's cursor.

    Return how the run ended if no booking was left, or if somebody cancelled the run.

    Args:
        connection: of the executor; not in a transaction.
        execution: what executing needs.
        run: at its cursor.
        reader: `execution.reader` of this run, at the same place; it reads ahead, and the caller closes it.
    """
    if await runs.cancel_requested(connection, run.run_id) is not None:
        await _cancel(connection, run)
        return "cancelled"
    if run.after_booking_id is None:
        bookings = await estimate_bookings(execution.bookings, reader.scope)
        await runs.estimate(connection, run.run_id, bookings)
    page = await reader.read()
    reached = page.passed.last_booking_id
    if reached is None:
        if not run.is_dry_run:
            await _resolve_stale(connection, execution.bookings, run, reader.scope)
        return await _complete(connection, run)
    began = time.monotonic()
    async with connection.transaction():
        counts = await _commit_page(connection, run, page, reached)
    return CommittedPage(reached, counts, page.seconds + time.monotonic() - began)


async def note_failure(connection: Connection, run: ActiveRun, error: Exception) -> None:
    """Store why an attempt failed; the run's final error names it.

    A failure of the whole database is not the run's fault and does not count as an attempt. A view that does
    not fit ends the run: every later attempt would fail too.
    """
    if isinstance(error, ViewMismatchError):
        async with connection.transaction():
            await _fail(connection, run, error_line(str(error)))
        return
    counts = classify(error).may_set_aside
    await runs.note_error(
        connection, run.run_id, error_line(f"{type(error).__name__}: {error}"), counts=counts
    )


async def _commit_page(
    connection: Connection, run: ActiveRun, page: EvaluatedPage, reached: str
) -> PageCounts:
    now, results = clock.now(), page.results
    counts = count_page(results.evaluations, results.errored)
    # The cursor first: its update locks the run, and refuses the page if another process has advanced it.
    number = await runs.advance(
        connection,
        run.run_id,
        expected=run.after_booking_id,
        reached=reached,
        page=counts,
        passed=page.passed.bookings,
        now=now,
    )
    if number is not None:
        await run_pages.record(
            connection,
            run.run_id,
            number,
            after=run.after_booking_id,
            reached=reached,
            rows=page.passed.rows,
            counts=counts,
            sums=sum_by_outcome(results.evaluations),
        )
    if run.is_dry_run:
        await run_findings.insert(connection, run.run_id, results.findings)
        return counts
    await queue_findings(
        connection,
        results.findings,
        evaluated=[each.booking_id for each in results.evaluations if not each.is_cancelled],
        cancelled=[each.booking_id for each in results.evaluations if each.is_cancelled],
        between=(run.after_booking_id, reached),
        run_id=run.run_id,
        evidence=page.evidence,
        now=now,
    )
    await outbox.append(
        connection, [booking_errored(run.run_id, errored, now=now) for errored in results.errored]
    )
    return counts


def _claim_problem(run: ActiveRun, attempts_max: int, *, now: datetime) -> str:
    reason = run.last_error or "the process that worked on it went away each time"
    if run.attempts > attempts_max:
        return f"given up after {attempts_max} attempts: {reason}"
    if now - run.progressed_at > timedelta(hours=STALLED_HOURS_MAX):
        return f"given up after {STALLED_HOURS_MAX} hours without a page: {reason}"
    try:
        parse_scope(run.scope)
    except ScopeError as error:
        return str(error)
    return ""


async def _resolve_stale(connection: Connection, bookings: Database, run: ActiveRun, scope: Scope) -> None:
    if scope.stale != "none":
        await resolve_stale(connection, bookings, run.run_id, only=scope.booking_id)


async def _complete(connection: Connection, run: ActiveRun) -> RunEnd:
    """Complete the run if its totals agree with the records of its pages; otherwise fail it."""
    now = clock.now()
    async with connection.transaction():
        figures = await run_pages.figures(connection, run.run_id)
        if figures is not None:
            kept, by_page, breaks = figures
            if problem := figures_problem(kept, by_page, breaks=breaks):
                await _fail(connection, run, problem)
                return "failed"
            await run_pages.delete(connection, run.run_id)
        counts = await runs.finish(connection, run.run_id, status="completed", error=None, finished_at=now)
        completed = RunCompleted(
            run_id=run.run_id, finished_at=now, scope=run.scope, dry_run=run.is_dry_run, **dict(counts)
        )
        await outbox.append(connection, [about_run(run.run_id, completed)])
    return "completed"


async def _cancel(connection: Connection, run: ActiveRun) -> None:
    async with connection.transaction():
        await runs.finish(connection, run.run_id, status="cancelled", error=None, finished_at=clock.now())
        await run_pages.delete(connection, run.run_id)
        record = await run_queries.get(connection, run.run_id)
        assert record is not None, "runs are never deleted"
        await outbox.append(connection, [about_run(run.run_id, run_cancelled(record))])


async def _fail(connection: Connection, run: ActiveRun, error: str) -> None:
    now = clock.now()
    await runs.finish(connection, run.run_id, status="failed", error=error, finished_at=now)
    failed = RunFailed(run_id=run.run_id, error=error, finished_at=now)
    await outbox.append(connection, [about_run(run.run_id, failed)])


def _started(run: ActiveRun) -> RunStarted:
    return RunStarted(
        run_id=run.run_id,
        trigger=run.trigger,
        slot=run.slot,
        started_at=clock.now(),
        scope=run.scope,
        dry_run=run.is_dry_run,
    )
