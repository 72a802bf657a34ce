"""Execute a run, one page per transaction: a crash repeats one page (REC-11).

All writes use the executor's own connection, which holds its lock: an executor that lost the lock cannot
write.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.messaging import outbox
from chassis.messaging.failures import classify
from chassis.postgres import Connection, Database
from contracts.reconciliation import RunCompleted, RunFailed, RunStarted
from reconciler.adapters import run_findings, run_pages, run_queries, runs
from reconciler.adapters.booking_view import BookingPage, ViewMismatchError, estimate_bookings
from reconciler.domain.bookings import StoredBooking, UnreadableBooking
from reconciler.domain.counts import PageCounts, count_page, sum_by_outcome
from reconciler.domain.evaluate import Evaluation, evaluate
from reconciler.domain.findings import (
    Finding,
    cancelled_but_paid,
    finding_of_price,
    not_evaluable,
)
from reconciler.domain.obstacles import Errored, error_line, record_error
from reconciler.domain.rules import Rules
from reconciler.domain.run_check import figures_problem
from reconciler.domain.runs import ATTEMPTS_MAX, STALLED_HOURS_MAX, ActiveRun, RunEnd
from reconciler.domain.scopes import Scope, ScopeError, parse_scope
from reconciler.handlers.exception_queue import queue_findings
from reconciler.handlers.outgoing_events import about_run, booking_errored
from reconciler.handlers.read_ahead import PageReader
from reconciler.handlers.run_cancellation import run_cancelled
from reconciler.handlers.stale_exceptions import resolve_stale

# Findings of dry runs are deleted by the first dry run after this time.
DRY_RUN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Page:
    """Results of a page of bookings; `evidence` is a number from before it was read."""

    evidence: int
    evaluations: Sequence[Evaluation]
    errored: Sequence[Errored]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Execution:
    """What executing runs needs besides the executor's own connection.

    Attributes:
        bookings: booking's database as the SELECT-only role.
        rules: what counts as a difference.
        zone: of the business.
        page_rows_max: bookings per transaction.
        attempts_max: attempts at one page before the run fails.
    """

    bookings: Database
    rules: Rules
    zone: ZoneInfo
    page_rows_max: int
    attempts_max: int = ATTEMPTS_MAX

    def reader(self, run: ActiveRun) -> PageReader:
        """Return a reader of the run's pages."""
        return PageReader(self.bookings, parse_scope(run.scope), self.zone, self.page_rows_max)


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
) -> tuple[str, PageCounts] | RunEnd:
    """Evaluate and commit the page after the run's cursor. Return the page's last booking id and its counts.

    Return how the run ended if no booking was left, or if somebody cancelled the run.

    Args:
        connection: of the executor; not in a transaction.
        execution: what executing needs.
        run: at its cursor.
        reader: `execution.reader` of this run; it reads ahead, and the caller closes it.
    """
    if await runs.cancel_requested(connection, run.run_id) is not None:
        await _cancel(connection, run)
        return "cancelled"
    if run.after_booking_id is None:
        bookings = await estimate_bookings(execution.bookings, reader.scope)
        await runs.estimate(connection, run.run_id, bookings)
    evidence, read = await reader.read(connection, run.after_booking_id)
    if read.last_booking_id is None:
        if not run.is_dry_run:
            await _resolve_stale(connection, execution.bookings, run, reader.scope)
        return await _complete(connection, run)
    # In a thread: a page computes for a noticeable part of a second.
    page = await asyncio.to_thread(evaluate_page, read.bookings, execution.rules, clock.now(), evidence)
    async with connection.transaction():
        return read.last_booking_id, await _commit_page(connection, run, read, read.last_booking_id, page)


def evaluate_page(
    stored: Sequence[StoredBooking | UnreadableBooking], rules: Rules, as_of: datetime, evidence: int
) -> Page:
    """Evaluate each booking by itself; a booking that fails does not affect the others (REC-12)."""
    evaluations: list[Evaluation] = []
    errors: list[Errored] = []
    findings: list[Finding] = []
    for booking in stored:
        if isinstance(booking, UnreadableBooking):
            errors.append(Errored(booking.booking_id, error_line(booking.error), "row_unreadable"))
            continue
        try:
            evaluation = evaluate(booking, rules, as_of=as_of)
            evaluations.append(evaluation)
            if evaluation.findings or evaluation.held:
                findings += _findings(evaluation)
        except Exception as error:  # noqa: BLE001 - any error is recorded for this booking
            errors.append(record_error(booking.booking_id, error))
    findings += [not_evaluable(error) for error in errors]
    return Page(evidence, evaluations, errors, findings)


def _findings(evaluation: Evaluation) -> list[Finding]:
    findings = [finding_of_price(price) for price in evaluation.findings]
    return findings if evaluation.held is None else [*findings, cancelled_but_paid(evaluation.held)]


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
    connection: Connection, run: ActiveRun, read: BookingPage, reached: str, page: Page
) -> PageCounts:
    now = clock.now()
    counts = count_page(page.evaluations, page.errored)
    # The cursor first: its update locks the run, and refuses the page if another process has advanced it.
    number = await runs.advance(
        connection,
        run.run_id,
        expected=run.after_booking_id,
        reached=reached,
        page=counts,
        passed=read.passed,
        now=now,
    )
    if number is not None:
        await run_pages.record(
            connection,
            run.run_id,
            number,
            after=run.after_booking_id,
            reached=reached,
            rows=len(read.bookings),
            counts=counts,
            sums=sum_by_outcome(page.evaluations),
        )
    if run.is_dry_run:
        await run_findings.insert(connection, run.run_id, page.findings)
        return counts
    await queue_findings(
        connection,
        page.findings,
        evaluated=[each.booking_id for each in page.evaluations if not each.is_cancelled],
        cancelled=[each.booking_id for each in page.evaluations if each.is_cancelled],
        run_id=run.run_id,
        evidence=page.evidence,
        now=now,
    )
    await outbox.append(
        connection, [booking_errored(run.run_id, errored, now=now) for errored in page.errored]
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
