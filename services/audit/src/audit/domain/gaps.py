"""What is to be said of a status history with a gap (AU-2): a decision about versions and their ages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.domain.events import Origin


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version that is here: when it was recorded here, and from which record."""

    version: int
    recorded_at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of missing versions, `first` to `last`. The version after `last` waits for them."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a history that waits.

    Attributes:
        overdue: gaps to be reported now, ascending.
        is_healed: all that was reported as missing has come.
        is_whole: nothing is missing any more.
        reported_to: up to this version everything missing is reported; 0 if nothing is.
    """

    overdue: list[Gap]
    is_healed: bool
    is_whole: bool
    reported_to: int


def judge(arrivals: Sequence[Arrival], *, reported_to: int, now: datetime, patience: timedelta) -> Verdict:
    """Judge a history.

    Args:
        arrivals: its versions, ascending.
        reported_to: from the verdict before; 0 at first.
        now: by the clock that `recorded_at` is of.
        patience: a gap is reported when what is behind it waits for so long.
    """
    missing = gaps([arrival.version for arrival in arrivals])
    is_healed = reported_to > 0 and not any(gap.first <= reported_to for gap in missing)
    overdue: list[Gap] = []
    for gap in missing:
        waiting_since = min(arrival.recorded_at for arrival in arrivals if arrival.version > gap.last)
        if gap.first > reported_to and now - waiting_since >= patience:
            overdue.append(gap)
    remembered = 0 if is_healed else reported_to
    return Verdict(
        overdue=overdue,
        is_healed=is_healed,
        is_whole=not missing,
        reported_to=max([remembered, *(gap.last for gap in overdue)]),
    )


def gaps(versions: Sequence[int]) -> list[Gap]:
    """The runs of versions that ascending ones wait for."""
    before = (0, *versions)
    return [Gap(low + 1, high - 1) for low, high in zip(before, versions, strict=False) if high > low + 1]
