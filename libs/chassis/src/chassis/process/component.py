"""Components of a service: each is started, checked and stopped by the lifecycle."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property
from typing import Protocol

from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.process.health import Check

_log = get_logger(__name__)

# Back-off of a background loop that failed. The last value repeats.
RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class Component(Protocol):
    """One component of a service. Components start in order and stop in reverse order."""

    name: str

    async def start(self) -> None:
        """Become ready. The lifecycle calls again after an error."""
        ...

    async def stop(self) -> None:
        """Finish work in flight and release resources. Called once, also if `start` failed."""
        ...

    async def check(self) -> Check:
        """Return whether the component can work now."""
        ...


class BackgroundLoop:
    """A component that runs a loop until it is stopped, and restarts the loop with back-off when it fails.

    Args:
        name: shown in logs and in readiness.
        run: works until its argument, the stop event, is set.
    """

    def __init__(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.name = name
        self._run = run
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: str | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    def ask_to_stop(self) -> None:
        """Set the stop event without waiting. The owner must end other waits inside the loop itself."""
        self._stopping.set()

    async def stop(self) -> None:
        """Stop the loop and wait for it. The lifecycle limits the wait."""
        self.ask_to_stop()
        if self._task is not None:
            try:
                await self._task
            except asyncio.CancelledError:
                self._task.cancel()
                raise

    async def check(self) -> Check:
        return Check(ok=self._failure is None, detail=self._failure or "")

    def recovered(self) -> None:
        """Clear the failure. The loop calls this after each successful round."""
        self._failure = None

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._run(self._stopping)
            except Exception as error:  # noqa: BLE001 - a loop survives any error of a round
                failures = failures + 1 if self._failure else 1
                delay = RESTART_SECONDS[min(failures, len(RESTART_SECONDS)) - 1]
                self._failure = loggable(error)
                _log.warning("loop failed", loop=self.name, error=self._failure, again_in_seconds=delay)
                await pause(self._stopping, delay)


class LoopComponent(ABC):
    """Base of components that work in one background loop.

    Attributes:
        name: shown in logs and in readiness.
        is_vital: if not, a failed loop leaves the component healthy and is told in the detail.
    """

    name: str
    is_vital: bool = True

    @cached_property
    def _loop(self) -> BackgroundLoop:
        return BackgroundLoop(self.name, self._run)

    async def start(self) -> None:
        await self._loop.start()

    async def stop(self) -> None:
        """Let the loop finish its current round."""
        await self._loop.stop()

    async def check(self) -> Check:
        check = await self._loop.check()
        return check if self.is_vital else Check(ok=True, detail=check.detail)

    @abstractmethod
    async def _run(self, stopping: asyncio.Event) -> None:
        """Work until the stop event is set; call `self._loop.recovered()` after each successful round."""


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but return at once when the stop event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
