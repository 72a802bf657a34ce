"""Closes offers that nobody can accept any more, so that the events tell it in time (BK-9)."""

import asyncio

from booking.handlers.offers import close_due
from chassis.observability.logs import get_logger
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause

_log = get_logger(__name__)

POLL_SECONDS = 5.0
BATCH_BOOKINGS_MAX = 100


class OfferExpiry(LoopComponent):
    """Polls for due offers. Every replica does; a booking that another one has locked is skipped."""

    name = "offer-expiry"

    def __init__(self, database: Database, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            closed = await close_due(self._database, bookings_max=BATCH_BOOKINGS_MAX)
            self._loop.recovered()
            if closed:
                _log.info("offers closed", offers=closed)
            else:
                await pause(stopping, self._poll_seconds)
