"""Let runs yield to booking: pause after a page while others use booking's database."""

import time
from dataclasses import dataclass, field

from chassis.postgres import Database
from reconciler.adapters.booking_view import count_transactions
from reconciler.domain.pacing import Traffic


@dataclass(slots=True)
class Pacing:
    """Paces the pages of runs that follow one another."""

    bookings: Database
    _traffic: Traffic = field(default_factory=Traffic, init=False)

    async def begin(self) -> None:
        """Count before a run's first page, so that the pause after it is right."""
        await self._read()

    async def pause_seconds(self, *, worked: float) -> float:
        """Return how long to wait after the page that was committed now. The caller waits.

        Args:
            worked: seconds that the run worked on the page.
        """
        await self._read()
        return self._traffic.pause_seconds(worked=worked)

    async def _read(self) -> None:
        self._traffic.read(await count_transactions(self.bookings), at=time.monotonic())
