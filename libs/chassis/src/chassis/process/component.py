"""A part of a running service: something that is started, watched and stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.process.health import Check

_log = get_logger(__name__)

RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Back-off of a background loop that failed: the last one repeats."""


class Part(Protocol):
    """What the lifecycle drives: parts start in order and stop in reverse."""

    name: str

    async def start(self) -> None:
        """Be ready when this returns; raise to be tried again."""
        ...

    async def stop(self) -> None:
        """Finish what is in hand, then let go. Called once, also when start has failed."""
        ...

    async def check(self) -> Check:
        """Whether this part can do its work this moment."""
        ...


class BackgroundLoop:
    """A loop that runs until stopped and is begun again, with back-off, when it fails.

    Args:
        name: stands in logs and readiness.
        run: does the work until the event it is given is set.
    """

    def __init__(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.name = name
        self._run = run
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: str | None = None

    async def start(self) -> None:
        """Begin the loop; it reports its own failures through `check`."""
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    def ask_to_stop(self) -> None:
        """Let the loop finish; whoever waits inside it for something else is to be woken by its owner."""
        self._stopping.set()

    async def stop(self) -> None:
        """Ask the loop to finish and wait for it; the lifecycle bounds the wait."""
        self.ask_to_stop()
        if self._task is not None:
            try:
                await self._task
            except asyncio.CancelledError:
                self._task.cancel()
                raise

    async def check(self) -> Check:
        """Good while the loop runs without failing."""
        return Check(ok=self._failure is None, detail=self._failure or "")

    def recovered(self) -> None:
        """Called by the loop when a round went well, so that readiness comes back."""
        self._failure = None

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._run(self._stopping)
            except Exception as error:  # noqa: BLE001 - a loop outlives whatever one round raises
                failures = failures + 1 if self._failure else 1
                delay = RESTART_SECONDS[min(failures, len(RESTART_SECONDS)) - 1]
                self._failure = loggable(error)
                _log.warning("loop failed", loop=self.name, error=self._failure, again_in_seconds=delay)
                await pause(self._stopping, delay)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until a stop is asked for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
