"""Waiting for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")

_POLL_SECONDS = 0.05


async def eventually(
    condition: Callable[[], Answer | Awaitable[Answer]], *, seconds: float = 10.0, what: str = ""
) -> Answer:
    """Ask until the answer is truthy, and return it.

    An `AssertionError` inside `condition` counts as "not yet". On time-out it fails with the last answer or
    the last such error; `what` says in words what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        last, met = await _ask(condition)
        if met:
            return last
        if time.monotonic() >= deadline:
            break
        await asyncio.sleep(_POLL_SECONDS)
    name = what or getattr(condition, "__name__", "condition")
    failure = last if isinstance(last, AssertionError) else None
    raise AssertionError(f"not within {seconds:g} s: {name}; last answer: {last!r}") from failure


async def _ask(condition: Callable[[], object]) -> tuple[object, bool]:
    try:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
    except AssertionError as error:
        return error, False
    return answer, bool(answer)
