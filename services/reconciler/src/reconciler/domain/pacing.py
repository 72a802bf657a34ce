"""Pauses of a run while booking is busy: a run has all night, a customer who pays does not wait."""

from collections import deque
from dataclasses import dataclass, field

# Of booking's database. Idle, it has about a tenth: polls, checks of readiness, the run's own reads.
BUSY_TRANSACTIONS_PER_SECOND = 100
# PostgreSQL counts what a session did once a second, all at once. In a shorter time a session that did little
# would look busy.
COUNTED_SECONDS = 1.0
WINDOW_SECONDS = 2.0
# Longer than a pause and a page.
READING_SECONDS_MAX = 10.0
# A run then works a tenth of the time.
PAUSE_FACTOR = 9
PAUSE_SECONDS_MAX = 5.0


@dataclass(slots=True)
class Traffic:
    """Readings of the number of transactions that all clients of booking's database have ended."""

    _readings: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def read(self, transactions: int, *, at: float) -> None:
        """Add a reading, and forget those that no later answer needs.

        Args:
            transactions: ended so far.
            at: seconds of a monotonic clock.
        """
        readings = self._readings
        readings.append((at, transactions))
        while at - readings[0][0] > READING_SECONDS_MAX:
            readings.popleft()
        while len(readings) > 1 and at - readings[1][0] >= WINDOW_SECONDS:
            readings.popleft()

    def is_busy(self) -> bool:
        """Return True if others have used the database since the reading of about two seconds ago."""
        (began, before), (ended, after) = self._readings[0], self._readings[-1]
        return after - before >= BUSY_TRANSACTIONS_PER_SECOND * max(ended - began, COUNTED_SECONDS)

    def pause_seconds(self, *, worked: float) -> float:
        """Return how long a run waits after a page that it worked on for so many seconds."""
        return min(PAUSE_FACTOR * worked, PAUSE_SECONDS_MAX) if self.is_busy() else 0.0
