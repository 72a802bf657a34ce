"""Waiting for a condition, always with a bound."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine

_POLL_SECONDS = 0.03

Condition = Callable[[], Awaitable[bool]]


async def until(condition: Condition, *, seconds_max: float) -> bool:
    """Ask again and again; True as soon as `condition` holds, False if it did not within `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while not await condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def gather_to_end(*tasks: Awaitable[object]) -> None:
    """Run all at the same time and to the end, whatever happens to one; then the first failure is raised."""
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def gather_or_cancel(*tasks: Coroutine[object, object, object]) -> None:
    """Run all at the same time; the first failure is raised as it is, once the others have been cancelled.

    Nobody is cancelled twice: a second time would break off the cleaning up that the first one began.
    """
    started = [asyncio.create_task(task) for task in tasks]
    try:
        await asyncio.gather(*started)
    finally:
        for task in started:
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
