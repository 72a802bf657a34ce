"""Waiting for a run, in bounded time."""

import asyncio
import time

from chassis.postgres import Database
from chassis.process.component import pause
from reconciler.adapters import run_list
from reconciler.adapters.run_list import RunView

POLL_SECONDS = 0.2
QUEUED_SECONDS_MAX = 15.0
"""The command goes to Kafka and back in well under a second where a service is running."""

_ENDED = ("completed", "failed", "cancelled")


class NotQueuedError(Exception):
    """No service took the command."""


async def wait_for_run(
    database: Database, run_id: str, *, queued_seconds_max: float = QUEUED_SECONDS_MAX
) -> RunView:
    """The run once it has ended, however long it takes.

    Raises:
        NotQueuedError: its command did not come back from Kafka in time.
    """
    deadline = time.monotonic() + queued_seconds_max
    while True:
        async with database.connection() as connection:
            run = await run_list.get(connection, run_id)
        assert run is not None, "runs are never deleted"
        if run.status in _ENDED:
            return run
        if run.queued_at is None and time.monotonic() > deadline:
            raise NotQueuedError(
                f"run {run_id}: no service took the command within {queued_seconds_max:g} s;"
                " is `reconciler serve` running? The run is kept and starts when it is"
            )
        await pause(asyncio.Event(), POLL_SECONDS)
