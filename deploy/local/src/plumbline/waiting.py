"""Waiting for a condition with a time limit, and concurrent tasks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine

_POLL_SECONDS = 0.03

Condition = Callable[[], Awaitable[bool]]


async def until(condition: Condition, *, seconds_max: float) -> bool:
    """Poll `condition`; return True when it holds, False if it does not hold within `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while not await condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def gather_to_end(*tasks: Awaitable[object]) -> None:
    """Run all tasks concurrently to their end, then raise the first failure."""
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def gather_or_cancel(*tasks: Coroutine[object, object, object]) -> None:
    """Run all tasks concurrently; after a failure cancel the others, wait for them, and raise the failure."""
    # No task is cancelled twice: a second cancellation would interrupt its clean-up.
    started = [asyncio.create_task(task) for task in tasks]
    try:
        await asyncio.gather(*started)
    finally:
        for task in started:
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
