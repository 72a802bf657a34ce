"""Pauses of a run while booking is busy: a run has all night, a customer who pays does not wait."""

# Of booking's database. Idle, it has about a tenth: polls, checks of readiness, the run's own reads.
BUSY_TRANSACTIONS_PER_SECOND = 100
# A run then works a tenth of the time.
PAUSE_FACTOR = 9
PAUSE_SECONDS_MAX = 5.0


def pause_seconds(*, transactions: int, elapsed: float, worked: float) -> float:
    """Return how long to wait before the next page.

    Args:
        transactions: of all clients of booking's database since the previous page.
        elapsed: seconds since the previous page.
        worked: seconds that the run worked on a page.
    """
    if transactions < BUSY_TRANSACTIONS_PER_SECOND * elapsed:
        return 0.0
    return min(PAUSE_FACTOR * worked, PAUSE_SECONDS_MAX)
