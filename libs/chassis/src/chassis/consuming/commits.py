"""Decide when offsets are committed (decision 0060). Pure."""

COMMIT_SECONDS_MIN = 0.2
"""Shortest time between two commits: each is a round trip, and Kafka writes a record for each partition."""
COMMIT_AGAIN_SECONDS = 1.0
"""Pause after a failed commit."""


class CommitSchedule:
    """Spreads the commits of one consumer. The first one after a pause is due at once.

    Times are monotonic, in seconds.

    Attributes:
        has_failed: the newest commit failed.
    """

    def __init__(self) -> None:
        self.has_failed = False
        self._due_at = 0.0

    def seconds_until_due(self, now: float) -> float:
        """Return how long offsets have to wait; 0 if they may be committed."""
        return max(0.0, self._due_at - now)

    def record(self, now: float, *, succeeded: bool) -> None:
        """Record the end of a commit."""
        self.has_failed = not succeeded
        self._due_at = now + (COMMIT_SECONDS_MIN if succeeded else COMMIT_AGAIN_SECONDS)
