"""Gauges of the sealed log, in every process: also while nobody seals."""

import asyncio

from audit.handlers.log_queries import UNSEALED_COUNTED_MAX, read_progress
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check

POLL_SECONDS = 5.0


class LogGauges(LoopComponent):
    """Polls how far the log is sealed. All replicas show the same values.

    Args:
        database: of audit.
        metrics: `audit_sealed_entries`, `audit_unsealed_entries`, `audit_unsealed_oldest_seconds`,
            `audit_checkpoint_age_seconds`.
    """

    name = "log-gauges"

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._sealed = metrics.gauge("sealed_entries")
        self._unsealed = metrics.gauge("unsealed_entries")
        self._oldest = metrics.gauge("unsealed_oldest_seconds")
        self._age = metrics.gauge("checkpoint_age_seconds")
        self._detail = ""

    async def check(self) -> Check:
        """Return a good check with sealed size and seconds behind; they are at most a few seconds old."""
        check = await self._loop.check()
        return check if not check.ok else Check(ok=True, detail=self._detail)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            progress = await read_progress(self._database)
            self._sealed.set(progress.sealed)
            self._unsealed.set(progress.unsealed)
            self._oldest.set(progress.oldest_seconds)
            self._age.set(progress.published_seconds)
            more = "at least " if progress.unsealed == UNSEALED_COUNTED_MAX else ""
            self._detail = (
                f"{progress.sealed} entries sealed, {more}{progress.unsealed} wait,"
                f" {progress.oldest_seconds:.1f} s behind"
            )
            self._loop.recovered()
            await pause(stopping, POLL_SECONDS)
