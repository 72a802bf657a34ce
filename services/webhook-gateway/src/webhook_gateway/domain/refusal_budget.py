"""Limits the refusals that are published one by one (GW-9): forgeries must not flood the log.

Fixed windows per source and address, begun by the first refusal. The first N of a window are published,
the others counted; when it ends, one summary carries the count. One more window is for all together: a
forger with many addresses gets no more than that, and what is beyond it is one summary per source. Memory
is bounded: beyond a number of addresses, further ones share a single budget.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.reasons import RefusalReason

WINDOW_SECONDS = 60
ADDRESSES_MAX = 1_000
OTHER_ADDRESSES = "other"
"""Stands for every address beyond ADDRESSES_MAX, and for those refused beyond the ceiling for all."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Refusals of one window that were not published."""

    source: str
    remote_address: str
    by_reason: dict[RefusalReason, int]
    window_started_at: datetime


@dataclass(slots=True)
class _Window:
    started_at: datetime
    admitted: int = 0
    suppressed: Counter[RefusalReason] = field(default_factory=Counter[RefusalReason])


class RefusalBudget:
    """The open windows. Callers pass the time.

    Args:
        per_minute_max: refusals published per source, address and window.
        all_per_minute_max: refusals published per window of all sources and addresses together.
    """

    def __init__(self, per_minute_max: int, all_per_minute_max: int) -> None:
        self._per_minute_max = per_minute_max
        self._all_per_minute_max = all_per_minute_max
        self._all: _Window | None = None
        self._windows: dict[tuple[str, str], _Window] = {}

    def admit(self, source: str, remote_address: str, reason: RefusalReason, now: datetime) -> bool:
        """Return whether this refusal is published; if not, it is counted for a summary."""
        together = self._together(now)
        window = self._windows.get((source, remote_address))
        if window is None or window.admitted < self._per_minute_max:
            # Counted by source alone: a summary for each of a forger's addresses would be a flood again.
            has_room = together.admitted < self._all_per_minute_max
            window = self._open(source, remote_address if has_room else OTHER_ADDRESSES, now)
            if has_room and window.admitted < self._per_minute_max:
                together.admitted += 1
                window.admitted += 1
                return True
        window.suppressed[reason] += 1
        return False

    def _together(self, now: datetime) -> _Window:
        """Return the window of all, begun anew where it has ended."""
        if self._all is None or now - self._all.started_at >= _WINDOW:
            self._all = _Window(now)
        return self._all

    def _open(self, source: str, remote_address: str, now: datetime) -> _Window:
        if window := self._windows.get((source, remote_address)):
            return window
        address = remote_address if len(self._windows) < ADDRESSES_MAX else OTHER_ADDRESSES
        return self._windows.setdefault((source, address), _Window(now))

    def close_ended(self, now: datetime) -> list[Suppressed]:
        """Close windows that have ended, and return what they suppressed."""
        return self._close({k for k, w in self._windows.items() if now - w.started_at >= _WINDOW})

    def close_all(self) -> list[Suppressed]:
        """Close every window, at the end of the process, and return what they suppressed."""
        return self._close(set(self._windows))

    def _close(self, keys: set[tuple[str, str]]) -> list[Suppressed]:
        closed = [(key, self._windows.pop(key)) for key in sorted(keys)]
        return [Suppressed(*key, dict(w.suppressed), w.started_at) for key, w in closed if w.suppressed]


_WINDOW = timedelta(seconds=WINDOW_SECONDS)
