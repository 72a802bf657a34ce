"""Read and evaluate a run's next pages while a page is committed."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.postgres import Database
from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import Passed, Slice, read_page
from reconciler.domain.pages import PageResults
from reconciler.domain.rules import Rules
from reconciler.domain.scopes import Scope

# With one page ahead, reading would wait for the commit whenever a page was read faster than the one before
# it was committed.
PAGES_AHEAD = 2


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


@dataclass(slots=True)
class PageReader:
    """Reads and evaluates the pages of one run in order, ahead of their commits. Close it after an error too.

    Attributes:
        database: the reconciler's own.
        bookings: booking's database as the SELECT-only role.
        scope: which bookings the run checks.
        zone: of the business.
        rules: what counts as a difference.
        rows_max: bookings a page.
        after: last booking before the first page; None for all.
    """

    database: Database
    bookings: Database
    scope: Scope
    zone: ZoneInfo
    rules: Rules
    rows_max: int
    after: str | None
    _ahead: "deque[asyncio.Task[EvaluatedPage]]" = field(
        default_factory=deque["asyncio.Task[EvaluatedPage]"], init=False
    )

    async def read(self) -> EvaluatedPage:
        """Return the next page, and begin with those after it. After the last page it is an empty one."""
        page = self._ahead.popleft() if self._ahead else asyncio.create_task(self._read(self.after))
        last = self._ahead[-1] if self._ahead else page
        while len(self._ahead) < PAGES_AHEAD:
            last = asyncio.create_task(self._read_next(last))
            self._ahead.append(last)
        return await page

    async def close(self) -> None:
        """End the work on the pages ahead."""
        for page in self._ahead:
            page.cancel()
        await asyncio.gather(*self._ahead, return_exceptions=True)
        self._ahead.clear()

    async def _read_next(self, before: "asyncio.Task[EvaluatedPage]") -> EvaluatedPage:
        page = await before
        reached = page.passed.last_booking_id
        return page if reached is None else await self._read(reached)

    async def _read(self, after: str | None) -> EvaluatedPage:
        async with self.database.connection() as connection:
            evidence = await exceptions.next_evidence(connection)
        began, results = time.monotonic(), PageResults()

        def take(bookings: Slice) -> None:
            results.evaluate(bookings, self.rules, as_of=clock.now())

        passed = await read_page(
            self.bookings, self.scope, self.zone, after_booking_id=after, rows_max=self.rows_max, take=take
        )
        return EvaluatedPage(evidence, passed, results, time.monotonic() - began)
