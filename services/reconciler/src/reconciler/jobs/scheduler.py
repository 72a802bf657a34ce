"""Requests the runs of the schedule (REC-1). Every replica does; the database accepts one request a slot."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.observability.logs import get_logger
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause
from reconciler.handlers.run_requests import request_due_run

_log = get_logger(__name__)

POLL_SECONDS = 1.0


class Scheduler(LoopComponent):
    """Polls once a second for a due slot.

    Args:
        database: of the reconciler.
        cron: in wall-clock time of `zone`.
        zone: of the business.
        lateness: a slot missed longer ago is not made up for.
    """

    name = "scheduler"

    def __init__(self, database: Database, cron: str, zone: ZoneInfo, *, lateness: timedelta) -> None:
        self._database = database
        self._cron = cron
        self._zone = zone
        self._lateness = lateness
        self._checked_until: datetime | None = None

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            now = clock.now()
            slot = await request_due_run(
                self._database,
                self._cron,
                self._zone,
                checked_until=self._checked_until,
                now=now,
                lateness=self._lateness,
            )
            if slot is not None:
                _log.info("slot due", slot=slot.isoformat())
            # A clock that was set back must not request a slot again. The slots' ids prevent the other
            # repetitions.
            self._checked_until = max(now, self._checked_until or now)
            self._loop.recovered()
            await pause(stopping, POLL_SECONDS)
