"""How a service starts and stops (ALL-2, foundations §3).

HTTP is up at once, so that liveness answers while the parts wait for Kafka and PostgreSQL; readiness tells
which part is missing. Parts start in order, each tried again with back-off, and stop in reverse, each in
bounded time. A service that has not started within its limit exits with 1 instead of pretending.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from litestar import Litestar

from chassis.observability.logs import get_logger
from chassis.process import tuning
from chassis.process.component import Part
from chassis.process.health import Check, Health

_log = get_logger(__name__)

START_BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class TimeLimits(Protocol):
    """Seconds that starting and stopping may take; settings of a service have them."""

    @property
    def start_seconds_max(self) -> int: ...

    @property
    def stop_seconds_max(self) -> int: ...


class Lifecycle:
    """Drives the parts of one process.

    Args:
        limits: of start and stop.
        parts: in the order in which they start.
        health: gets one check per part.
    """

    def __init__(self, limits: TimeLimits, parts: Sequence[Part], health: Health) -> None:
        self._start_seconds_max = limits.start_seconds_max
        self._stop_seconds_max = limits.stop_seconds_max
        self._parts = parts
        self._begun: list[Part] = []
        self._started = False
        self._obstacle = "starting"
        self.failed = asyncio.Event()
        health.add("started", self._check)
        for part in parts:
            health.add(part.name, part.check)

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncGenerator[None]:
        """Litestar's lifespan: starts the parts beside the HTTP server, stops them after it."""
        starting = asyncio.create_task(self._start(), name="start")
        try:
            yield
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._stop()

    async def _start(self) -> None:
        deadline = time.monotonic() + self._start_seconds_max
        for part in self._parts:
            self._begun.append(part)
            if not await self._start_part(part, deadline):
                self.failed.set()
                return
        tuning.freeze_loaded_objects()
        self._started = True
        _log.info("service started", parts=[part.name for part in self._parts])

    async def _start_part(self, part: Part, deadline: float) -> bool:
        attempts = 0
        while True:
            try:
                await part.start()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again until the limit
                delay = START_BACK_OFF_SECONDS[min(attempts, len(START_BACK_OFF_SECONDS) - 1)]
                attempts += 1
                reason = f"{type(error).__name__}: {error}"
                self._obstacle = f"starting; {part.name}: {reason}"
                if time.monotonic() + delay > deadline:
                    _log.error("service did not start", part=part.name, error=reason)
                    return False
                _log.warning("part did not start", part=part.name, error=reason, again_in_seconds=delay)
                await asyncio.sleep(delay)
            else:
                return True

    async def _stop(self) -> None:
        self._started = False
        self._obstacle = "stopping"
        for part in reversed(self._begun):
            try:
                async with asyncio.timeout(self._stop_seconds_max):
                    await part.stop()
            except Exception as error:  # noqa: BLE001 - one part's failure must not keep the others
                _log.warning(
                    "part did not stop cleanly", part=part.name, error=f"{type(error).__name__}: {error}"
                )
        _log.info("service stopped")

    async def _check(self) -> Check:
        return Check(ok=self._started, detail="" if self._started else self._obstacle)
