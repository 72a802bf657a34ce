"""Execute a run, one page per transaction: a crash repeats one page (REC-11).

All writes use the executor's own connection, which holds its lock: an executor that lost the lock cannot
write.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis import clock
from chassis.messaging import outbox
from chassis.messaging.failures import classify
from chassis.postgres import Connection, Database
from contracts.reconciliation import RunCompleted, RunFailed, RunStarted
from contracts.text import sanitize_for_postgres
from reconciler.adapters import exceptions, runs
from reconciler.adapters.booking_view import read_page
from reconciler.domain.bookings import StoredBooking, UnreadableBooking
from reconciler.domain.counts import Errored, PageCounts, count_page
from reconciler.domain.evaluate import Evaluation, NotEvaluableError, Rules, evaluate
from reconciler.domain.findings import (
    Finding,
    cancelled_but_paid,
    finding_of_price,
    not_evaluable,
)
from reconciler.domain.runs import ATTEMPTS_MAX, ActiveRun
from reconciler.handlers.exception_queue import queue_findings
from reconciler.handlers.outgoing_events import about_run, booking_errored
from reconciler.handlers.stale_exceptions import resolve_stale

ERROR_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Results of a page that ends with `last_booking_id`; `evidence` is a number from before it was read."""

    last_booking_id: str
    evidence: int
    evaluations: Sequence[Evaluation]
    errored: Sequence[Errored]
    findings: Sequence[Finding]


async def claim_run(connection: Connection, *, attempts_max: int = ATTEMPTS_MAX) -> ActiveRun | None:
    """Claim the next run, new or resumed; None without a run.

    A run that was claimed more than `attempts_max` times at one page is marked failed instead.
    """
    async with connection.transaction():
        claimed = await runs.claim(connection, now=clock.now())
        if claimed is None:
            return None
        run, is_new = claimed
        if run.attempts > attempts_max:
            reason = run.last_error or "the process that worked on it went away each time"
            await _fail(connection, run, f"given up after {attempts_max} attempts: {reason}")
            return None
        if is_new:
            await outbox.append(connection, [about_run(run.run_id, _started(run))])
    return run


async def process_page(
    connection: Connection, bookings: Database, run: ActiveRun, rules: Rules, *, rows_max: int
) -> tuple[str, PageCounts] | None:
    """Evaluate and commit the page after the run's cursor. Return the page's last booking id and its counts.

    Return None if no booking was left: the run is completed.
    """
    evidence = await exceptions.next_evidence(connection)
    stored = await read_page(bookings, after_booking_id=run.after_booking_id, rows_max=rows_max)
    if not stored:
        await resolve_stale(connection, bookings, run.run_id)
        await _complete(connection, run)
        return None
    # In a thread: a page computes for a noticeable part of a second.
    page = await asyncio.to_thread(evaluate_page, stored, rules, clock.now(), evidence)
    async with connection.transaction():
        return page.last_booking_id, await _commit_page(connection, run, page)


def evaluate_page(
    stored: Sequence[StoredBooking | UnreadableBooking], rules: Rules, as_of: datetime, evidence: int
) -> Page:
    """Evaluate each booking by itself; a booking that fails does not affect the others (REC-12)."""
    evaluations: list[Evaluation] = []
    errored: list[Errored] = []
    findings: list[Finding] = []
    for booking in stored:
        if isinstance(booking, UnreadableBooking):
            errored.append(
                Errored(booking.booking_id, sanitize_for_postgres(booking.error[:ERROR_CHARACTERS_MAX]))
            )
            continue
        try:
            evaluation = evaluate(booking, rules, as_of=as_of)
            findings += _findings(evaluation)
            evaluations.append(evaluation)
        except NotEvaluableError as error:
            errored.append(Errored(booking.booking_id, str(error)))
        except Exception as error:  # noqa: BLE001 - any error is recorded for this booking
            errored.append(Errored(booking.booking_id, error_line(error)))
    findings += [not_evaluable(each.booking_id, each.error) for each in errored]
    return Page(stored[-1].booking_id, evidence, evaluations, errored, findings)


def _findings(evaluation: Evaluation) -> list[Finding]:
    findings = [finding_of_price(price) for price in evaluation.findings]
    return findings if evaluation.held is None else [*findings, cancelled_but_paid(evaluation.held)]


async def note_failure(connection: Connection, run: ActiveRun, error: Exception) -> None:
    """Store why an attempt failed; the run's final error names it.

    A failure of the whole database is not the run's fault and does not count as an attempt.
    """
    counts = classify(error).may_set_aside
    await runs.note_error(connection, run.run_id, error_line(error), counts=counts)


def error_line(error: Exception) -> str:
    """Return the error as one line that a text column stores."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return sanitize_for_postgres(line[:ERROR_CHARACTERS_MAX])


async def _commit_page(connection: Connection, run: ActiveRun, page: Page) -> PageCounts:
    now = clock.now()
    counts = count_page(page.evaluations, page.errored)
    # The cursor first: its update locks the run, and refuses the page if another process has advanced it.
    await runs.advance(
        connection, run.run_id, expected=run.after_booking_id, reached=page.last_booking_id, page=counts
    )
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


async def _complete(connection: Connection, run: ActiveRun) -> None:
    now = clock.now()
    async with connection.transaction():
        counts = await runs.finish(connection, run.run_id, status="completed", error=None, finished_at=now)
        completed = RunCompleted(run_id=run.run_id, finished_at=now, **dict(counts))
        await outbox.append(connection, [about_run(run.run_id, completed)])


async def _fail(connection: Connection, run: ActiveRun, error: str) -> None:
    now = clock.now()
    await runs.finish(connection, run.run_id, status="failed", error=error, finished_at=now)
    failed = RunFailed(run_id=run.run_id, error=error, finished_at=now)
    await outbox.append(connection, [about_run(run.run_id, failed)])


def _started(run: ActiveRun) -> RunStarted:
    return RunStarted(run_id=run.run_id, trigger=run.trigger, slot=run.slot, started_at=clock.now())
