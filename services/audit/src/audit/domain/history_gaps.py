"""Gaps of a status history: what to report, decided from versions and their ages (AU-2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.domain.events import Origin


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """A version that has arrived: when it was recorded here, and its record."""

    version: int
    recorded_at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing versions, `first` to `last`. The version after `last` waits for them."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class GapState:
    """State of a history that waits for a version.

    Attributes:
        overdue: gaps to report now, ascending.
        is_healed: every version that was reported as missing has arrived.
        is_whole: no version is missing.
        reported_to: missing versions up to this one are reported; 0 if none is.
    """

    overdue: list[Gap]
    is_healed: bool
    is_whole: bool
    reported_to: int


def classify_gaps(
    recorded_versions: Sequence[RecordedVersion], *, reported_to: int, now: datetime, patience: timedelta
) -> GapState:
    """Classify a history's gaps.

    Args:
        recorded_versions: the history's versions, ascending.
        reported_to: of the previous state; 0 at first.
        now: by the clock of `recorded_at`.
        patience: a gap is reported when the version after it has waited this long.
    """
    missing = gaps([recorded.version for recorded in recorded_versions])
    is_healed = reported_to > 0 and not any(gap.first <= reported_to for gap in missing)
    overdue: list[Gap] = []
    for gap in missing:
        waiting_since = min(
            recorded.recorded_at for recorded in recorded_versions if recorded.version > gap.last
        )
        if gap.first > reported_to and now - waiting_since >= patience:
            overdue.append(gap)
    still_reported = 0 if is_healed else reported_to
    return GapState(
        overdue=overdue,
        is_healed=is_healed,
        is_whole=not missing,
        reported_to=max([still_reported, *(gap.last for gap in overdue)]),
    )


def gaps(versions: Sequence[int]) -> list[Gap]:
    """Return the gaps between ascending versions, and before the first one."""
    before = (0, *versions)
    return [Gap(low + 1, high - 1) for low, high in zip(before, versions, strict=False) if high > low + 1]
