"""Run a composed service: uvicorn in front of its application, until a signal."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from litestar import Litestar

from chassis.http.internal_port import listen
from chassis.http.server.protocol import BoundedHttpProtocol, ReadEndingProtocol
from chassis.observability.logs import get_logger
from chassis.process import tuning
from chassis.process.lifecycle import Lifecycle
from chassis.settings import ServiceSettings

_log = get_logger(__name__)


class Service:
    """A composed service, ready to be run.

    Args:
        name: console name, e.g. "webhook-gateway".
        settings: of the service.
        app: from `chassis.http.build_app`, given the lifecycle's `lifespan`.
        lifecycle: of its parts.
        host, port: where to listen.
        internal: host and port of a second socket; see `chassis.http.internal_port`.
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
        tuning.read_in_pieces()
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
