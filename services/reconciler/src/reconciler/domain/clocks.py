"""Targets of the queue's clocks: when an exception is due (REC-9c)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.domain.classify import Severity
from reconciler.domain.exceptions import Clock


@dataclass(frozen=True, slots=True)
class Targets:
    """Time that people may take until they acknowledge and until they resolve, by severity."""

    acknowledge: Mapping[Severity, timedelta]
    resolve: Mapping[Severity, timedelta]


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks are read at a time, and compared with targets."""

    at: datetime
    targets: Targets


@dataclass(frozen=True, slots=True)
class Due:
    """When an exception is due.

    Attributes:
        acknowledge_at: None after the first acknowledgement.
        resolve_at: None once resolved. Both are None while the clock stands still.
        is_overdue: one of the two has passed.
    """

    acknowledge_at: datetime | None = None
    resolve_at: datetime | None = None
    is_overdue: bool = False


def due(clock: Clock, severity: Severity, reading: Reading) -> Due:
    """Return when an exception with this clock is due."""
    since = clock.running_since
    if since is None or severity not in reading.targets.resolve:  # a damaged row is shown by its reader
        return Due()
    resolve_at = since - clock.counted + reading.targets.resolve[severity]
    acknowledge_at = (
        since - clock.counted + reading.targets.acknowledge[severity]
        if clock.acknowledged_after is None
        else None
    )
    times = [time for time in (acknowledge_at, resolve_at) if time is not None]
    return Due(acknowledge_at, resolve_at, is_overdue=any(time <= reading.at for time in times))
