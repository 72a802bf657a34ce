"""Run a composed service: uvicorn serves its application until a signal. The command `serve`."""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TypeVar

import typer
import uvicorn
from litestar import Litestar

from chassis.http.internal_port import listen
from chassis.observability.logs import configure_logs, get_logger
from chassis.observability.spans import exporting
from chassis.process.environment import load_settings
from chassis.process.lifecycle import Lifecycle
from chassis.process.output import end_guard
from chassis.settings import ServiceSettings

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

_log = get_logger(__name__)

_LISTEN_ELSEWHERE = "stop what listens there, or correct the settings of host and port"


class Service:
    """A composed service, ready to be run.

    Args:
        name: console name, e.g. "webhook-gateway".
        settings: the service's settings.
        app: the application from `chassis.http.build_app`, given the lifecycle's `lifespan`.
        lifecycle: starts and stops the components.
        host, port: address to listen on.
        internal: host and port of a second socket; see `chassis.http.internal_port`.
        http_protocol: protocol class of the connections, or uvicorn's name of one.
        sockets: listening sockets that another process has bound; none: the service binds its own.
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
        http_protocol: type[asyncio.Protocol] | str = "httptools",
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self.name = name
        self.app = app
        self._addresses = [(host, port)] if internal is None else [(host, port), internal]
        self._sockets = list(sockets)
        self._lifecycle = lifecycle
        self._server = _Server(
            lifecycle,
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=http_protocol,
                ws="none",  # no service speaks WebSocket
                loop="asyncio",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # a service's own setting says which proxies may name the client
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=settings.stop_seconds_max,
                timeout_keep_alive=30,
            ),
        )

    def serve(self) -> int:
        """Serve until SIGINT or SIGTERM. Return the exit code: 0, or 1 if the service never started."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _already_handled)
        try:
            sockets = self._sockets or self._listening()
        except OSError as error:
            addresses = [f"{host}:{port}" for host, port in self._addresses]
            reason = (error.strerror or str(error)).lower()
            _log.error("cannot listen", addresses=addresses, error=f"{reason}; {_LISTEN_ELSEWHERE}")
            return 1
        asyncio.run(self._serve(sockets or None))
        return 1 if self._lifecycle.failed.is_set() or not self._server.started else 0

    def _listening(self) -> list[socket.socket]:
        """Return the sockets of two ports; of one port none: the server binds it when all has started."""
        sockets = [listen(*address) for address in self._addresses]
        if len(sockets) > 1:
            return sockets
        # The server's own refusal of a port that is taken is a trace without an address.
        sockets[0].close()
        return []

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        giving_up = asyncio.create_task(self._give_up(), name="give-up")
        try:
            await self._server.serve(sockets)
        finally:
            giving_up.cancel()

    async def _give_up(self) -> None:
        await self._lifecycle.failed.wait()
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it begins to stop: it waits for open answers first."""

    def __init__(self, lifecycle: Lifecycle, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._lifecycle.stopping.set()
        await super().shutdown(sockets)


def _already_handled(_number: int, _frame: FrameType | None) -> None:
    """Ignore the signal that uvicorn raises again after its graceful stop."""


def add_serve(
    cli: typer.Typer, name: str, settings_class: type[SettingsT], build: Callable[[SettingsT], Service]
) -> None:
    """Add the command `serve`: read the settings, compose the service, run it until a signal."""

    @cli.command()
    def serve() -> None:
        """Run the service until SIGTERM or Ctrl-C."""
        settings = load_settings(settings_class)
        raise typer.Exit(run_service(name, settings, lambda: build(settings)))


def run_service(name: str, settings: ServiceSettings, build: Callable[[], Service]) -> int:
    """Run a service until a signal, with the logs and spans of its settings. Return the exit code."""
    end_guard()
    configure_logs(
        name, log_format=settings.log_format, level=settings.log_level, messages=settings.log_messages
    )
    with exporting(name, settings.otel_exporter_otlp_endpoint):
        return build().serve()
