"""Reports gaps of status histories."""

import asyncio
from datetime import timedelta

from audit.handlers.history_gaps import count_waiting, report_page
from audit.handlers.queries import incomplete_seconds
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause

_log = get_logger(__name__)

POLL_SECONDS = 5.0


class HistoryGapMonitor(LoopComponent):
    """Polls histories that wait for a version. One of several replicas does it at a time.

    Args:
        database: of audit.
        metrics: `audit_history_gaps` by state (waiting, reported), `audit_log_incomplete_seconds`.
        patience_seconds: a gap is reported when the version after it has waited this long.
        poll_seconds: time between two polls.
    """

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        patience_seconds: float,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.name = "history-gaps"
        self._database = database
        self._patience = timedelta(seconds=patience_seconds)
        self._poll_seconds = min(poll_seconds, patience_seconds)
        self._gaps = metrics.gauge("history_gaps")
        self._incomplete = metrics.gauge("log_incomplete_seconds")

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._poll(stopping)
            self._loop.recovered()
            await pause(stopping, self._poll_seconds)

    async def _poll(self, stopping: asyncio.Event) -> None:
        after: str | None = ""
        while after is not None and not stopping.is_set():
            page = await report_page(self._database, after=after, patience=self._patience)
            if page.reported:
                _log.error("versions of status histories are missing", gaps=page.reported)
            if page.healed:
                _log.warning("missing versions of status histories have come", histories=page.healed)
            after = page.last
        for state, histories in (await count_waiting(self._database)).items():
            self._gaps.labels(state).set(histories)
        self._incomplete.set(await incomplete_seconds(self._database))
