"""What the audit service does by itself."""

import asyncio
from datetime import timedelta

from audit.handlers.gaps import count_waiting, judge_page
from audit.handlers.reading import incomplete_seconds
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import Check

_log = get_logger(__name__)

ROUND_SECONDS = 5.0


class GapWatch:
    """Watches histories that wait for a version; of several replicas one at a time does.

    Args:
        patience_seconds: a gap is reported when what is behind it waits for so long.
        metrics: `audit_history_gaps` by state (waiting, reported), `audit_log_incomplete_seconds`.
        round_seconds: between two looks.
    """

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        patience_seconds: float,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self.name = "history-gaps"
        self._database = database
        self._patience = timedelta(seconds=patience_seconds)
        self._round_seconds = min(round_seconds, patience_seconds)
        self._gaps = metrics.gauge("history_gaps")
        self._incomplete = metrics.gauge("log_incomplete_seconds")
        self._loop = BackgroundLoop(self.name, self._run)

    async def start(self) -> None:
        """Begin to look."""
        await self._loop.start()

    async def stop(self) -> None:
        """Finish the page in hand."""
        await self._loop.stop()

    async def check(self) -> Check:
        """Good while looking succeeds."""
        return await self._loop.check()

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._look_once(stopping)
            self._loop.recovered()
            await pause(stopping, self._round_seconds)

    async def _look_once(self, stopping: asyncio.Event) -> None:
        after: str | None = ""
        while after is not None and not stopping.is_set():
            judged = await judge_page(self._database, after=after, patience=self._patience)
            if judged.reported:
                _log.error("versions of status histories are missing", gaps=judged.reported)
            if judged.healed:
                _log.warning("missing versions of status histories have come", histories=judged.healed)
            after = judged.last
        for state, histories in (await count_waiting(self._database)).items():
            self._gaps.labels(state).set(histories)
        self._incomplete.set(await incomplete_seconds(self._database))
