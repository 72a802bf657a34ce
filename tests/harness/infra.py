"""The servers of a test session: what they have in common, wherever they come from."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, Protocol


class Server(Protocol):
    """One server that a test may take away. Address and data outlive `stop` and `kill`."""

    @property
    def running(self) -> bool:
        """Return whether the server runs."""
        ...

    async def start(self) -> None:
        """Start it, and return when it serves."""
        ...

    async def stop(self) -> None:
        """End it in an orderly way."""
        ...

    async def kill(self) -> None:
        """End it as a crash would."""
        ...


class Infra(Protocol):
    """A Kafka and a PostgreSQL."""

    outlives_session: bool
    """Whether they are there when the suite has ended."""

    @property
    def kafka_bootstrap(self) -> str:
        """Where Kafka's clients connect."""
        ...

    def admin_dsn(self, database: str = "postgres") -> str:
        """Connects as a superuser."""
        ...

    @property
    def kafka(self) -> Server:
        """The broker."""
        ...

    @property
    def postgres(self) -> Server:
        """The database server."""
        ...


@asynccontextmanager
async def down(server: Server, *, how: Literal["stop", "kill"] = "stop") -> AsyncGenerator[None]:
    """The server is away inside the block, and serves again after it, whatever happened in between."""
    await (server.stop() if how == "stop" else server.kill())
    try:
        yield
    finally:
        if not server.running:
            await server.start()
