"""Metrics of the dead letters: how many wait and why, since when, and how many keys stand still (ALL-5)."""

import asyncio

from chassis.dead_letters import limits
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import Check

METER_SECONDS = 10.0
COUNTED_ROWS_MAX = 10_000
"""Per reason. The gauge stops there, so that a full table costs a look no more than a few thousand rows."""


class DeadLetterGauges:
    """A part that looks every few seconds and sets gauges; every replica shows the same.

    Args:
        database: where the dead letters are.
        consumer: the service's name, as its `DeadLetters` has it.
        metrics: `dead_letters_waiting` by reason, `dead_letters_oldest_seconds`, and
            `dead_letters_lines_waiting`.
    """

    name = "dead letter meter"

    def __init__(self, database: Database, consumer: str, metrics: Metrics) -> None:
        self._database = database
        self._consumer = consumer
        self._waiting = metrics.gauge("dead_letters_waiting")
        self._oldest = metrics.gauge("dead_letters_oldest_seconds")
        self._lines = metrics.gauge("dead_letters_lines_waiting")
        self._loop = BackgroundLoop(self.name, self._run)

    async def start(self) -> None:
        """Begin."""
        await self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    async def check(self) -> Check:
        """Always good: a service that cannot count can still work. Says why counting fails."""
        return Check(ok=True, detail=(await self._loop.check()).detail)

    async def look(self) -> None:
        """Set the gauges once."""
        async with self._database.transaction(readonly=True) as connection:
            waiting = await limits.waiting_by_reason(connection, self._consumer, up_to=COUNTED_ROWS_MAX)
            lines = await limits.keys_waiting(connection, self._consumer, up_to=limits.KEYS_MAX)
        for reason, found in waiting.items():
            self._waiting.labels(reason.value).set(found.rows)
        self._oldest.set(max(found.oldest_seconds for found in waiting.values()))
        self._lines.set(lines)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.look()
            self._loop.recovered()
            await pause(stopping, METER_SECONDS)
