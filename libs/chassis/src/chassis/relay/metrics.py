"""Gauges of the backlog in an outbox, set also while no relay owns its shards."""

import asyncio
import time

from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database
from chassis.process.component import LoopComponent, pause
from chassis.relay.status import read_backlog

PAUSE_SECONDS_MIN = 5.0
# Under a held snapshot a poll reads all rows that were deleted since: 150,000 of them took PostgreSQL a
# quarter of a second (`make bench ROW=B4`).
POLL_SHARE_MAX = 0.02
"""Largest part of the time that is spent in polls."""
COUNTED_ROWS_MAX = 1_000
"""Per shard. The gauge stops there, so that a poll costs the same however long the backlog is."""


class OutboxGauges(LoopComponent):
    """Polls the backlog every few seconds and sets gauges per shard. All replicas show the same values.

    Args:
        database: the database of the outbox. The pool is used, so that no relay waits for a poll.
        metrics: exposes `outbox_unsent_rows` and `outbox_oldest_unsent_seconds`.
    """

    name = "outbox gauges"

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._rows = metrics.gauge("outbox_unsent_rows")
        self._oldest = metrics.gauge("outbox_oldest_unsent_seconds")

    async def poll(self) -> None:
        async with self._database.transaction(readonly=True) as connection:
            backlog = await read_backlog(connection, rows_max=COUNTED_ROWS_MAX)
        for shard in backlog:
            self._rows.labels(str(shard.shard)).set(shard.rows)
            self._oldest.labels(str(shard.shard)).set(shard.oldest_seconds or 0.0)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            began = time.monotonic()
            await self.poll()
            self._loop.recovered()
            await pause(stopping, pause_seconds(time.monotonic() - began))


def pause_seconds(poll_seconds: float) -> float:
    """Return how long to pause after a poll that took `poll_seconds`."""
    return max(PAUSE_SECONDS_MIN, poll_seconds / POLL_SHARE_MAX)
