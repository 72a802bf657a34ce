"""Metrics of an outbox: what waits in it, whether or not anybody owns and moves it."""

import asyncio
import time

from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database
from chassis.process.component import BackgroundLoop, pause
from chassis.relay.status import read_waiting

METER_SECONDS = 5.0
METER_SHARE_MAX = 0.02
"""At most this part of the time goes into looks. Under a held snapshot a look walks over every row deleted
since: with 150,000 of them it cost PostgreSQL a quarter of a second (`make bench ROW=B4`)."""
COUNTED_ROWS_MAX = 1_000
"""Per shard. The gauge stops there, so that a long backlog costs a look no more than a short one."""


class OutboxMeter:
    """Looks every few seconds and sets gauges per shard; every replica shows the same.

    Args:
        database: whose outbox; a pooled connection, so that no relay waits for a look.
        metrics: `outbox_unsent_rows` and `outbox_oldest_unsent_seconds`.
    """

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._rows = metrics.gauge("outbox_unsent_rows")
        self._oldest = metrics.gauge("outbox_oldest_unsent_seconds")
        self._loop = BackgroundLoop("outbox meter", self._run)

    async def start(self) -> None:
        """Begin."""
        await self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    async def look(self) -> None:
        """Set the gauges once."""
        async with self._database.transaction(readonly=True) as connection:
            waiting = await read_waiting(connection, rows_max=COUNTED_ROWS_MAX)
        for shard in waiting:
            self._rows.labels(str(shard.shard)).set(shard.rows)
            self._oldest.labels(str(shard.shard)).set(shard.oldest_seconds or 0.0)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            began = time.monotonic()
            await self.look()
            self._loop.recovered()
            await pause(stopping, pause_seconds(time.monotonic() - began))


def pause_seconds(look_seconds: float) -> float:
    """How long to wait after a look that took so long."""
    return max(METER_SECONDS, look_seconds / METER_SHARE_MAX)
