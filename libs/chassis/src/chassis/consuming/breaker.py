"""The breaker: many failures stop a consumer instead of draining its topics into the dead letters. Pure."""

from collections import deque
from math import inf

from chassis.consuming.limits import Limits, probe_seconds


class Breaker:
    """Closed, or open until a probe succeeds.

    It opens when `row_failures_max` messages failed one after the other, or `window_failures_min` of the
    last `window_messages`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._row = 0
        self._window: deque[bool] = deque(maxlen=limits.window_messages)
        self._probes = 0
        self._probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing but probes is to be tried."""
        return self._probe_at is not None

    @property
    def probe_at(self) -> float:
        """When an open breaker wants its next probe."""
        return self._probe_at or 0.0

    def succeeded(self, messages: int) -> None:
        """So many messages were applied: whatever had stopped the consumer is over."""
        if self._probe_at is not None:
            self._probe_at, self._probes = None, 0
            self._window.clear()
        self._row = 0
        self._window.extend([True] * min(messages, self._limits.window_messages))

    def passed(self, messages: int) -> None:
        """So many more went through without an effect: no failures, and no sign that anything is over."""
        self._window.extend([True] * min(messages, self._limits.window_messages))

    def failed(self, now: float, *, in_row: bool = True) -> None:
        """One more message failed for good.

        Args:
            now: on a monotonic clock, in seconds.
            in_row: False for a failure that proves nothing about others, as an undecodable message.
        """
        self._row += in_row
        self._window.append(False)
        if self.is_open:
            return
        in_window = self._window.count(False)
        if self._row >= self._limits.row_failures_max or in_window >= self._limits.window_failures_min:
            self._probes = 0
            self._probe_at = now + probe_seconds(0)

    def probe_failed(self, now: float, *, seconds_max: float = inf) -> None:
        """Wait longer for the next probe than for the one that has just failed.

        Args:
            now: on a monotonic clock, in seconds.
            seconds_max: but no longer than this.
        """
        if self._probe_at is not None:
            self._probes += 1
            self._probe_at = now + min(probe_seconds(self._probes), seconds_max)
