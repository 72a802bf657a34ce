"""How far a run has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run that has begun.

    Attributes:
        checked: bookings in the run's scope that were checked.
        per_second: rate since the beginning; None before the first page.
        estimated_percent: how many of the bookings the run has passed, 0 to 100; an estimate of the
            database's planner, and 100 only for a run that has completed. None if no estimate exists.
    """

    checked: int
    per_second: int | None
    estimated_percent: int | None


# A run that is not completed never shows all, however wrong the estimate is.
_PERCENT_MAX = 99
_SECOND = timedelta(seconds=1)


def progress_of(
    *,
    status: str,
    scanned: int,
    passed: int,
    estimated: int | None,
    started_at: datetime | None,
    last_at: datetime | None,
) -> Progress | None:
    """Return the progress of a run; None if it has not begun.

    Args:
        status: of the run.
        scanned: bookings checked.
        passed: bookings passed, with those outside of the scope.
        estimated: estimate of the bookings to pass.
        started_at: when the run began.
        last_at: end of the run, else of its last page.
    """
    if started_at is None:
        return None
    elapsed = (last_at or started_at) - started_at
    return Progress(
        checked=scanned,
        per_second=scanned * _SECOND // elapsed if elapsed > timedelta() else None,
        estimated_percent=100 if status == "completed" else _percent(passed, estimated),
    )


def _percent(passed: int, estimated: int | None) -> int | None:
    return min(_PERCENT_MAX, 100 * passed // estimated) if estimated else None
