"""`asyncio.timeout` with one timer for all waits of the same length: 3 µs less a wait (decision 0037).

Waits of one length end in the order in which they began, so only the first one needs a timer.
"""

import asyncio
from functools import cache
from itertools import takewhile
from types import TracebackType
from typing import Any


def shared_timeout(seconds: float) -> "Wait":
    """Return an asynchronous context manager that does what `asyncio.timeout` does."""
    return _timeouts(seconds).begin()


class Timeouts:
    """Waits of one length.

    Args:
        seconds: how long each may last.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order in which they began.
        self._waits: dict[Wait, None] = {}
        # The event loop that has a timer of ours. The timer stays when the last wait ends.
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> "Wait":
        """Return a wait of the current task, for an `async with` block that raises TimeoutError."""
        loop = asyncio.get_running_loop()
        wait = Wait(self._waits, asyncio.current_task(loop), loop.time() + self._seconds)
        self._waits[wait] = None
        if self._loop is not loop:
            self._loop = loop
            loop.call_at(wait.ends_at, self._end_overdue, loop)
        return wait

    def _end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for wait in list(takewhile(lambda each: each.ends_at <= now, self._waits)):
            wait.interrupt()
        if self._waits:
            loop.call_at(next(iter(self._waits)).ends_at, self._end_overdue, loop)
        else:
            self._loop = None


class Wait:
    """One wait of one task. It equals itself alone."""

    __slots__ = ("_all", "_cancelling", "_has_timed_out", "_task", "ends_at")

    def __init__(self, all_: "dict[Wait, None]", task: asyncio.Task[Any] | None, ends_at: float) -> None:
        if task is None:
            raise RuntimeError("only a task can wait with a timeout")
        self._all = all_
        self._task = task
        self._cancelling = task.cancelling()
        self._has_timed_out = False
        self.ends_at = ends_at

    def interrupt(self) -> None:
        """Cancel the task; the end of its `async with` block raises TimeoutError."""
        self._has_timed_out = True
        del self._all[self]
        self._task.cancel()

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self._has_timed_out:
            del self._all[self]
        # A cancellation by somebody else, before or meanwhile, takes precedence.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


_timeouts = cache(Timeouts)
