"""Read a run's next page while the page before it is evaluated and committed."""

import asyncio
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from chassis.postgres import Connection, Database
from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import BookingPage, read_page
from reconciler.domain.scopes import Scope


@dataclass(frozen=True, slots=True)
class _Reading:
    """A page that is being read. `evidence` is a number from before the reading began."""

    after: str | None
    evidence: int
    page: "asyncio.Task[BookingPage]"


@dataclass(slots=True)
class PageReader:
    """Reads the pages of one run in order, one page ahead. Close it, also after an error."""

    bookings: Database
    scope: Scope
    zone: ZoneInfo
    rows_max: int
    _ahead: _Reading | None = field(default=None, init=False)

    async def read(self, connection: Connection, after: str | None) -> tuple[int, BookingPage]:
        """Return the page after a booking, with its evidence number, and begin to read the next one.

        Args:
            connection: of the reconciler, not in use: evidence numbers are taken on it.
            after: last booking of the page before; None for the first page.
        """
        reading, self._ahead = self._ahead, None
        if reading is None or reading.after != after:
            reading = await self._begin(connection, after)
        page = await reading.page
        if page.last_booking_id is not None:
            self._ahead = await self._begin(connection, page.last_booking_id)
        return reading.evidence, page

    async def close(self) -> None:
        """End the reading of the next page."""
        if self._ahead is not None:
            self._ahead.page.cancel()
            await asyncio.gather(self._ahead.page, return_exceptions=True)
            self._ahead = None

    async def _begin(self, connection: Connection, after: str | None) -> _Reading:
        evidence = await exceptions.next_evidence(connection)
        reading = read_page(
            self.bookings, self.scope, self.zone, after_booking_id=after, rows_max=self.rows_max
        )
        return _Reading(after, evidence, asyncio.create_task(reading))
