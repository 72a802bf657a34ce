"""Polls the log for all live streams of the process."""

import asyncio

from audit.handlers.live_entries import LiveEntries
from chassis.observability.metrics import Metrics
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check

POLL_SECONDS = 0.5


class LiveEntriesPoll(LoopComponent):
    """Feeds the streams. Without a stream nothing is read.

    Args:
        live: the streams.
        metrics: `audit_streams_open`.
        poll_seconds: time between two polls.
    """

    def __init__(self, live: LiveEntries, metrics: Metrics, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.name = "live-entries"
        self._live = live
        self._poll_seconds = poll_seconds
        metrics.gauge("streams_open").set_function(lambda: float(live.streams))

    async def check(self) -> Check:
        """Report healthy always: a failed poll delays streams only, and the database has its own check."""
        return Check(ok=True)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._live.poll()
            self._loop.recovered()
            await pause(stopping, self._poll_seconds)
