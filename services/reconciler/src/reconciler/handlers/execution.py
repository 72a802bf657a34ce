"""Working off a run, one page per transaction, so that a crash costs one page (REC-11).

Everything is written on the executor's own connection, which holds its lock: an executor that lost the
lock has lost the connection with it and cannot write.
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
from reconciler.adapters import runs
from reconciler.adapters.booking_view import read_page
from reconciler.domain.bookings import StoredBooking, UnreadableBooking
from reconciler.domain.evaluate import Evaluation, NotEvaluableError, Rules, evaluate
from reconciler.domain.runs import ATTEMPTS_MAX, ActiveRun
from reconciler.domain.sightings import (
    cancelled_but_paid,
    not_evaluable,
    sighting_of_finding,
)
from reconciler.domain.tallies import Errored, Tally, tally
from reconciler.handlers.announcements import about_run, booking_errored
from reconciler.handlers.queue import Observed, enter_observed
from reconciler.handlers.unwatched import end_unwatched

ERROR_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Bookings evaluated, up to and including `last_booking_id`, and what they add to the queue."""

    last_booking_id: str
    evaluations: Sequence[Evaluation]
    errored: Sequence[Errored]
    observed: Sequence[Observed]


async def take_up_run(connection: Connection, *, attempts_max: int = ATTEMPTS_MAX) -> ActiveRun | None:
    """The run to work on, begun or resumed; None if there is nothing to do.

    One that was taken up too often without getting on is marked failed instead.
    """
    async with connection.transaction():
        taken = await runs.take_up(connection, now=clock.now())
        if taken is None:
            return None
        run, is_new = taken
        if run.attempts > attempts_max:
            reason = run.last_error or "the process that worked on it went away each time"
            await _fail(connection, run, f"given up after {attempts_max} attempts: {reason}")
            return None
        if is_new:
            await outbox.append(connection, [about_run(run.run_id, _started(run))])
    return run


async def work_page(
    connection: Connection, bookings: Database, run: ActiveRun, rules: Rules, *, rows_max: int
) -> tuple[str, Tally] | None:
    """Evaluate the page behind the run's cursor and commit it; where it ended, and its counts.

    None: there was no booking left and the run is completed.
    """
    stored = await read_page(bookings, after_booking_id=run.after_booking_id, rows_max=rows_max)
    if not stored:
        await end_unwatched(connection, bookings, run.run_id)
        await _complete(connection, run)
        return None
    # Beside the event loop: a page takes a noticeable part of a second of pure computing.
    page = await asyncio.to_thread(evaluate_page, stored, rules, clock.now())
    async with connection.transaction():
        return page.last_booking_id, await _commit_page(connection, run, page)


def evaluate_page(stored: Sequence[StoredBooking | UnreadableBooking], rules: Rules, as_of: datetime) -> Page:
    """Evaluate each booking by itself; one that cannot be evaluated costs only itself (REC-12)."""
    evaluations: list[Evaluation] = []
    errored: list[Errored] = []
    observed: list[Observed] = []
    for booking in stored:
        if isinstance(booking, UnreadableBooking):
            errored.append(
                Errored(booking.booking_id, sanitize_for_postgres(booking.error[:ERROR_CHARACTERS_MAX]))
            )
            continue
        try:
            evaluation = evaluate(booking, rules, as_of=as_of)
            observed += _observed(evaluation)
            evaluations.append(evaluation)
        except NotEvaluableError as error:
            errored.append(Errored(booking.booking_id, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this booking's and is recorded
            errored.append(Errored(booking.booking_id, error_line(error)))
    observed += [Observed(not_evaluable(each.booking_id, each.error)) for each in errored]
    return Page(stored[-1].booking_id, evaluations, errored, observed)


def _observed(evaluation: Evaluation) -> list[Observed]:
    found = [
        Observed(sighting_of_finding(finding), finding if finding.type == "pricing_drift" else None)
        for finding in evaluation.findings
    ]
    return found if evaluation.held is None else [*found, Observed(cancelled_but_paid(evaluation.held))]


async def note_failure(connection: Connection, run: ActiveRun, error: Exception) -> None:
    """Keep why an attempt failed, for the day on which the run is given up.

    What the database does as a whole is no fault of the run: such an attempt does not count.
    """
    counts = classify(error).may_set_aside
    await runs.note_error(connection, run.run_id, error_line(error), counts=counts)


def error_line(error: Exception) -> str:
    """One line that a text column takes."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return sanitize_for_postgres(line[:ERROR_CHARACTERS_MAX])


async def _commit_page(connection: Connection, run: ActiveRun, page: Page) -> Tally:
    now = clock.now()
    counts = tally(page.evaluations, page.errored)
    # First the cursor: it locks the run, and refuses the page if somebody else has it.
    await runs.advance(
        connection, run.run_id, expected=run.after_booking_id, reached=page.last_booking_id, page=counts
    )
    await enter_observed(
        connection,
        page.observed,
        evaluated=[each.booking_id for each in page.evaluations if not each.is_cancelled],
        cancelled=[each.booking_id for each in page.evaluations if each.is_cancelled],
        run_id=run.run_id,
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
