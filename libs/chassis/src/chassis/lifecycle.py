"""How a service starts and stops (ALL-2, foundations §3).

HTTP is up at once, so that liveness answers while the parts wait for Kafka and PostgreSQL; readiness tells
which part is missing. Parts start in order, each tried again with back-off, and stop in reverse, each in
bounded time. A service that has not started within its limit exits with 1 instead of pretending.
"""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from litestar import Litestar

from chassis import runtime
from chassis.health import Check, Health
from chassis.http_protocol import BoundedHttpProtocol, ReadEndingProtocol
from chassis.internal_port import listen
from chassis.observability.logs import get_logger
from chassis.parts import Part
from chassis.settings import ServiceSettings

_log = get_logger(__name__)

START_BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class Lifecycle:
    """Drives the parts of one process.

    Args:
        settings: for the limits of start and stop.
        parts: in the order in which they start.
        health: gets one check per part.
    """

    def __init__(self, settings: ServiceSettings, parts: Sequence[Part], health: Health) -> None:
        self._start_seconds_max = settings.start_seconds_max
        self._stop_seconds_max = settings.stop_seconds_max
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
        runtime.spare_what_is_loaded()
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


class Service:
    """A composed service, ready to be run.

    Args:
        name: console name, e.g. "webhook-gateway".
        settings: of the service.
        app: from `chassis.http.build_app`, given the lifecycle's `lifespan`.
        lifecycle: of its parts.
        host, port: where to listen.
        internal: host and port of a second socket; see `chassis.internal_port`.
        answers_half_closed: a read goes on when its client closes its own direction. Otherwise it ends.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        app: Litestar,
        lifecycle: Lifecycle,
        *,
        host: str,
        port: int,
        internal: tuple[str, int] | None = None,
        answers_half_closed: bool = False,
    ) -> None:
        self.name = name
        self.app = app
        self._addresses = [] if internal is None else [(host, port), internal]
        self._lifecycle = lifecycle
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=BoundedHttpProtocol if answers_half_closed else ReadEndingProtocol,
                ws="none",  # nobody is served over it, and uvicorn leaves a POST that asks for it unanswered
                loop="asyncio",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who is trusted to name a client is a setting of ours, not of uvicorn
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=settings.stop_seconds_max,
                timeout_keep_alive=30,
            )
        )

    def serve(self) -> int:
        """Serve until a signal asks to stop. Returns the exit code: 0, or 1 if it never started."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _already_handled)
        runtime.read_in_pieces()
        try:
            sockets = [listen(*address) for address in self._addresses]
        except OSError as error:
            _log.error("cannot listen", addresses=self._addresses, error=str(error))
            return 1
        asyncio.run(self._serve(sockets or None))
        return 1 if self._lifecycle.failed.is_set() or not self._server.started else 0

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        giving_up = asyncio.create_task(self._give_up(), name="give-up")
        try:
            await self._server.serve(sockets)
        finally:
            giving_up.cancel()

    async def _give_up(self) -> None:
        await self._lifecycle.failed.wait()
        self._server.should_exit = True


def _already_handled(_number: int, _frame: FrameType | None) -> None:
    """Uvicorn raises a signal again after its graceful stop; by then there is nothing left to do."""
