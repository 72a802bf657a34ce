"""The breaker stops a consumer when many messages fail, so that they are not all set aside. Pure."""

from collections import deque
from math import inf

from chassis.consuming.limits import Limits, probe_seconds


class Breaker:
    """A circuit breaker: closed, or open until a probe succeeds.

    The breaker opens when `row_failures_max` messages failed in a row, or `window_failures_min` of the last
    `window_messages`. Times are monotonic, in seconds.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._row = 0
        self._window: deque[bool] = deque(maxlen=limits.window_messages)
        self._probes = 0
        self._probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Return True if only probes may be tried."""
        return self._probe_at is not None

    @property
    def probe_at(self) -> float:
        """Return when an open breaker allows the next probe."""
        return self._probe_at or 0.0

    def record_success(self, messages: int) -> None:
        """Count messages that were applied, and close the breaker."""
        if self._probe_at is not None:
            self._probe_at, self._probes = None, 0
            self._window.clear()
        self._row = 0
        self._window.extend([True] * min(messages, self._limits.window_messages))

    def record_no_effect(self, messages: int) -> None:
        """Count messages processed without effect (duplicates, ignored events).

        They fill the failure window but do not close an open breaker.
        """
        self._window.extend([True] * min(messages, self._limits.window_messages))

    def record_failure(self, now: float, *, in_row: bool = True) -> None:
        """Count a message that failed alone for the first time.

        Args:
            now: on a monotonic clock, in seconds.
            in_row: False for a failure that says nothing about other messages: one that cannot be decoded.
        """
        self._row += in_row
        self._window.append(False)
        if self.is_open:
            return
        in_window = self._window.count(False)
        if self._row >= self._limits.row_failures_max or in_window >= self._limits.window_failures_min:
            self._probes = 0
            self._probe_at = now + probe_seconds(0)

    def record_probe_failure(self, now: float, *, seconds_max: float = inf) -> None:
        """Wait longer for the next probe than for the one that failed.

        Args:
            now: on a monotonic clock, in seconds.
            seconds_max: the longest wait.
        """
        if self._probe_at is not None:
            self._probes += 1
            self._probe_at = now + min(probe_seconds(self._probes), seconds_max)
