"""Creates the partitions of payloads ahead, so that each month can be dropped as a table later (AU-10)."""

import asyncio

from audit.handlers.retention import add_months
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause

_log = get_logger(__name__)

POLL_SECONDS = 600.0


class PayloadMonths(LoopComponent):
    """Creates missing months at the start and every ten minutes. Any replica may do it.

    Args:
        database: of audit.
        metrics: `audit_payload_months_ahead`, `audit_payloads_outside_months`, `audit_payload_rewrites_due`.
    """

    name = "payload-months"

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._ahead = metrics.gauge("payload_months_ahead")
        self._outside = metrics.gauge("payloads_outside_months")
        self._rewrites = metrics.gauge("payload_rewrites_due")

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            state = await add_months(self._database)
            self._ahead.set(state.months_ahead)
            self._outside.set(state.outside_months)
            self._rewrites.set(state.rewrites_due)
            if state.outside_months:
                _log.warning("payloads stand outside the months", payloads=state.outside_months)
            self._loop.recovered()
            await pause(stopping, POLL_SECONDS)
