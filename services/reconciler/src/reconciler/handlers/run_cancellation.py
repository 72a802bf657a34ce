"""Cancel a run (REC-1): a requested one at once, a running one at its next page."""

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Connection
from contracts.reconciliation import RunCancelled
from reconciler.adapters import run_queries, runs
from reconciler.adapters.run_queries import RunRecord
from reconciler.domain.runs import RUN_ENDS
from reconciler.handlers.outgoing_events import about_run


class UnknownRunError(Exception):
    """There is no run of this id."""


class RunEndedError(Exception):
    """The run has ended already; the message says how and when."""


async def cancel_run(connection: Connection, run_id: str, *, cancelled_by: str) -> RunRecord:
    """Cancel a run inside the caller's transaction and return it. The first caller's name is kept.

    Raises:
        UnknownRunError: no such run.
        RunEndedError: the run has ended.
    """
    now = clock.now()
    status = await runs.cancel(connection, run_id, cancelled_by=cancelled_by, now=now)
    run = await run_queries.get(connection, run_id)
    if run is None:
        raise UnknownRunError(f"there is no run {run_id}")
    if status is None:
        raise RunEndedError(ended_line(run))
    if status == "cancelled":
        await outbox.append(connection, [about_run(run_id, run_cancelled(run))])
    return run


def run_cancelled(run: RunRecord) -> RunCancelled:
    """Return the event of a cancelled run."""
    assert run.finished_at is not None, "a cancelled run has ended"
    return RunCancelled(
        run_id=run.id,
        cancelled_by=run.cancelled_by or "",
        scanned=run.scanned,
        clean=run.clean,
        drifted=run.drifted,
        skipped=run.skipped,
        errored=run.errored,
        finished_at=run.finished_at,
    )


def ended_line(run: RunRecord) -> str:
    """Return how and when a run ended, in one line."""
    assert run.status in RUN_ENDS, "the run has ended"
    ended = "" if run.finished_at is None else f" at {run.finished_at:%Y-%m-%dT%H:%M:%SZ}"
    by = f" by {run.cancelled_by}" if run.status == "cancelled" else ""
    error = f": {run.error}" if run.status == "failed" else ""
    return f"run {run.id} {'was ' if by else 'has '}{run.status}{by}{ended}{error}"
