"""Wait for a condition instead of a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")

_POLL_SECONDS = 0.05
# A look at a database or a service costs some ms of CPU, which other tests need: long waits look less often.
_POLL_SHARE = 0.1
_POLL_SECONDS_MAX = 0.2


async def eventually(
    condition: Callable[[], Result | Awaitable[Result]], *, seconds: float = 10.0, what: str = ""
) -> Result:
    """Call `condition` until its result is truthy, and return the result.

    An `AssertionError` in `condition` counts as "not yet".

    Args:
        condition: a function, also an async one.
        seconds: time limit.
        what: the condition in words, for the error message.

    Raises:
        AssertionError: the time is up; the message has the last result.
    """
    began = time.monotonic()
    while True:
        last, met = await _evaluate(condition)
        if met:
            return last
        if (waited := time.monotonic() - began) >= seconds:
            break
        await asyncio.sleep(min(max(_POLL_SECONDS, waited * _POLL_SHARE), _POLL_SECONDS_MAX))
    name = what or getattr(condition, "__name__", "condition")
    failure = last if isinstance(last, AssertionError) else None
    raise AssertionError(f"not within {seconds:g} s: {name}; last result: {last!r}") from failure


async def _evaluate(condition: Callable[[], object]) -> tuple[object, bool]:
    try:
        result = condition()
        if inspect.isawaitable(result):
            result = await result
    except AssertionError as error:
        return error, False
    return result, bool(result)
