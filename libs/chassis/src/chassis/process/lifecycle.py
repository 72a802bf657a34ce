"""How a service starts and stops (ALL-2, foundations §3).

HTTP starts at once, so that liveness answers while components wait for Kafka and PostgreSQL; readiness names
the component that is missing. Components start in order, each with retries and back-off. They stop in reverse
order, each with a time limit. A service that has not started within its limit exits with 1.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from litestar import Litestar

from chassis.observability.logs import get_logger
from chassis.process import tuning
from chassis.process.component import Component
from chassis.process.health import Check, Health
from chassis.process.terminal import obstacle

_log = get_logger(__name__)

START_BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class TimeLimits(Protocol):
    """Time limits of start and stop. `ServiceSettings` has them."""

    @property
    def start_seconds_max(self) -> int: ...

    @property
    def stop_seconds_max(self) -> int: ...


class Lifecycle:
    """Starts and stops the components of one process.

    Args:
        limits: of start and stop.
        components: in the order in which they start.
        health: receives one check per component.
        stopping: set when the process begins to stop, before open requests are waited for. Answers without an
            end, such as streams of events, end then.
    """

    def __init__(
        self,
        limits: TimeLimits,
        components: Sequence[Component],
        health: Health,
        *,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self._start_seconds_max = limits.start_seconds_max
        self._stop_seconds_max = limits.stop_seconds_max
        self._components = components
        self._begun: list[Component] = []
        self._started = False
        self._obstacle = "starting"
        self.failed = asyncio.Event()
        self.stopping = stopping or asyncio.Event()
        health.add("started", self._check)
        for component in components:
            health.add(component.name, component.check)

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncGenerator[None]:
        """Start the components beside the HTTP server and stop them after it: Litestar's lifespan."""
        starting = asyncio.create_task(self._start(), name="start")
        try:
            yield
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._stop()

    async def _start(self) -> None:
        deadline = time.monotonic() + self._start_seconds_max
        for component in self._components:
            self._begun.append(component)
            if not await self._start_component(component, deadline):
                self.failed.set()
                return
        tuning.freeze_loaded_objects()
        self._started = True
        _log.info("service started", components=[component.name for component in self._components])

    async def _start_component(self, component: Component, deadline: float) -> bool:
        attempts = 0
        while True:
            try:
                await component.start()
            except Exception as error:  # noqa: BLE001 - every error is retried until the limit
                delay = START_BACK_OFF_SECONDS[min(attempts, len(START_BACK_OFF_SECONDS) - 1)]
                attempts += 1
                reason = f"{type(error).__name__}: {error}"
                self._obstacle = f"starting; {component.name}: {obstacle(error)}"
                if time.monotonic() + delay > deadline:
                    _log.error("service did not start", component=component.name, error=reason)
                    return False
                _log.warning(
                    "component did not start", component=component.name, error=reason, again_in_seconds=delay
                )
                await asyncio.sleep(delay)
            else:
                return True

    async def _stop(self) -> None:
        self.stopping.set()
        self._started = False
        self._obstacle = "stopping"
        for component in reversed(self._begun):
            try:
                async with asyncio.timeout(self._stop_seconds_max):
                    await component.stop()
            except Exception as error:  # noqa: BLE001 - a failure of one must not keep the others from stopping
                _log.warning(
                    "component did not stop cleanly",
                    component=component.name,
                    error=f"{type(error).__name__}: {error}",
                )
        _log.info("service stopped")

    async def _check(self) -> Check:
        return Check(ok=self._started, detail="" if self._started else self._obstacle)
