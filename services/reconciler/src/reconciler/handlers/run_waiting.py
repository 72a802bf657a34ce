"""Wait for a run."""

import asyncio
import time
from collections.abc import Callable

from chassis.postgres import Database
from chassis.process.component import pause
from reconciler.adapters import run_queries
from reconciler.adapters.run_queries import RunRecord
from reconciler.domain.runs import RUN_ENDS

POLL_SECONDS = 0.2
# With a running service the command goes to Kafka and back in well under a second.
QUEUED_SECONDS_MAX = 15.0


class NotQueuedError(Exception):
    """No service received the command in time."""


async def wait_for_run(
    database: Database,
    run_id: str,
    *,
    show: Callable[[RunRecord], None] | None = None,
    queued_seconds_max: float = QUEUED_SECONDS_MAX,
) -> RunRecord:
    """Return the run after it has ended, however long it takes.

    Args:
        database: of the reconciler.
        run_id: of an existing run.
        show: called after each look at the run.
        queued_seconds_max: how long a service may take to receive the command.

    Raises:
        NotQueuedError: no service received the command within `queued_seconds_max`.
    """
    deadline = time.monotonic() + queued_seconds_max
    while True:
        async with database.connection() as connection:
            run = await run_queries.get(connection, run_id)
        assert run is not None, "runs are never deleted"
        if show is not None:
            show(run)
        if run.status in RUN_ENDS:
            return run
        if run.queued_at is None and time.monotonic() > deadline:
            raise NotQueuedError(
                f"run {run_id}: no service took the command within {queued_seconds_max:g} s;"
                " is `reconciler serve` running? The run is kept and starts when it is"
            )
        await pause(asyncio.Event(), POLL_SECONDS)
