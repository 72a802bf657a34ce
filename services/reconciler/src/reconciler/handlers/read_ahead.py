"""Read and evaluate a run's next page while the page before it is committed."""

import asyncio
import time
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.postgres import Connection, Database
from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import Passed, Slice, read_page
from reconciler.domain.pages import PageResults
from reconciler.domain.rules import Rules
from reconciler.domain.scopes import Scope


@dataclass(frozen=True, slots=True)
class EvaluatedPage:
    """A page that was read and evaluated.

    Attributes:
        evidence: number from before the page was read.
        passed: how far it went.
        results: of its bookings.
        seconds: time that it took.
    """

    evidence: int
    passed: Passed
    results: PageResults
    seconds: float


@dataclass(frozen=True, slots=True)
class _Working:
    """A page that is being read and evaluated."""

    after: str | None
    page: "asyncio.Task[EvaluatedPage]"


@dataclass(slots=True)
class PageReader:
    """Reads and evaluates the pages of one run in order, one page ahead. Close it, also after an error."""

    bookings: Database
    scope: Scope
    zone: ZoneInfo
    rules: Rules
    rows_max: int
    _ahead: _Working | None = field(default=None, init=False)

    async def read(self, connection: Connection, after: str | None) -> EvaluatedPage:
        """Return the page after a booking, and begin with the next one.

        Args:
            connection: of the reconciler, not in use: evidence numbers are taken on it.
            after: last booking of the page before; None for the first page.
        """
        working, self._ahead = self._ahead, None
        if working is None or working.after != after:
            working = await self._begin(connection, after)
        page = await working.page
        if page.passed.last_booking_id is not None:
            self._ahead = await self._begin(connection, page.passed.last_booking_id)
        return page

    async def close(self) -> None:
        """End the work on the next page."""
        if self._ahead is not None:
            self._ahead.page.cancel()
            await asyncio.gather(self._ahead.page, return_exceptions=True)
            self._ahead = None

    async def _begin(self, connection: Connection, after: str | None) -> _Working:
        evidence = await exceptions.next_evidence(connection)
        return _Working(after, asyncio.create_task(self._work(after, evidence)))

    async def _work(self, after: str | None, evidence: int) -> EvaluatedPage:
        began, results = time.monotonic(), PageResults()

        def take(bookings: Slice) -> None:
            results.evaluate(bookings, self.rules, as_of=clock.now())

        passed = await read_page(
            self.bookings, self.scope, self.zone, after_booking_id=after, rows_max=self.rows_max, take=take
        )
        return EvaluatedPage(evidence, passed, results, time.monotonic() - began)
