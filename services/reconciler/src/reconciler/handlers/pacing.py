"""Let a run yield to booking: pause after a page while others use booking's database."""

import time
from dataclasses import dataclass, field

from chassis.postgres import Database
from reconciler.adapters.booking_view import count_transactions
from reconciler.domain.pacing import pause_seconds


@dataclass(slots=True)
class Pacing:
    """Paces the pages of one run."""

    bookings: Database
    _transactions: int | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)

    async def begin(self) -> None:
        """Count before the first page, so that the pause after it is right. Later calls do nothing."""
        if self._transactions is None:
            self._transactions, self._counted_at = await count_transactions(self.bookings), time.monotonic()

    async def pause_seconds(self, *, worked: float) -> float:
        """Return how long to wait after the page that was committed now. The caller waits.

        Args:
            worked: seconds that the run worked on the page, also during the pause before.
        """
        transactions, now = await count_transactions(self.bookings), time.monotonic()
        before, elapsed = self._transactions, now - self._counted_at
        self._transactions, self._counted_at = transactions, now
        assert before is not None, "begun before the first page"
        return pause_seconds(transactions=transactions - before, elapsed=elapsed, worked=worked)
