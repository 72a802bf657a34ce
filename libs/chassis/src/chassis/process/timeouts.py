"""`asyncio.timeout` for many waits of the same length, with one timer for all of them.

A timer of its own costs every request as much as its HMAC, though hardly one ever goes off. Waits of one
length end in the order in which they began, so the first of them is all that has to be watched.
"""

import asyncio
from itertools import takewhile
from types import TracebackType
from typing import Any


class Timeouts:
    """Ends waits that last too long.

    Args:
        seconds: how long each may last.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: dict[Wait, None] = {}
        """Those under way, in the order in which they began."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """That has a timer of ours. It stays when no wait is left: the next one comes before it goes off."""

    def begin(self) -> "Wait":
        """A wait of the current task, for a `with` block that raises TimeoutError if it lasts too long."""
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
        """The time is up."""
        self._has_timed_out = True
        del self._all[self]
        self._task.cancel()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self._has_timed_out:
            del self._all[self]
        # Who else cancelled the task, before or meanwhile, is to be obeyed.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
