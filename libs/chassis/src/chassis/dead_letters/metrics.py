"""Gauges of waiting dead letters: number by reason, age of the oldest, blocked ordering keys (ALL-5)."""

import asyncio

from chassis.dead_letters import limits
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database
from chassis.process.component import LoopComponent, pause

REFRESH_SECONDS = 10.0
# Per reason. A limit keeps the count cheap when the table is full.
COUNTED_ROWS_MAX = 10_000


class DeadLetterGauges(LoopComponent):
    """A component that refreshes the gauges every REFRESH_SECONDS. All replicas show the same values.

    Args:
        database: with the dead letters.
        consumer: the service's name, as its `DeadLetters` has it.
        metrics: `dead_letters_waiting` by reason, `dead_letters_oldest_seconds` and
            `dead_letters_lines_waiting`.
    """

    name = "dead letter gauges"
    is_vital = False  # a service works without counts

    def __init__(self, database: Database, consumer: str, metrics: Metrics) -> None:
        self._database = database
        self._consumer = consumer
        self._waiting = metrics.gauge("dead_letters_waiting")
        self._oldest = metrics.gauge("dead_letters_oldest_seconds")
        self._keys = metrics.gauge("dead_letters_lines_waiting")

    async def refresh(self) -> None:
        """Count once and set the gauges."""
        async with self._database.transaction(readonly=True) as connection:
            waiting = await limits.waiting_by_reason(connection, self._consumer, up_to=COUNTED_ROWS_MAX)
            ordering_keys = await limits.count_keys(connection, self._consumer, up_to=limits.KEYS_MAX)
        for reason, of_reason in waiting.items():
            self._waiting.labels(reason.value).set(of_reason.rows)
        self._oldest.set(max(of_reason.oldest_seconds for of_reason in waiting.values()))
        self._keys.set(ordering_keys)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.refresh()
            self._loop.recovered()
            await pause(stopping, REFRESH_SECONDS)
