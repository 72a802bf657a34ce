"""The interface of the servers of a test session, for all kinds of servers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, Protocol


class Server(Protocol):
    """A server that a test may stop. Address and data outlive `stop` and `kill`."""

    @property
    def running(self) -> bool: ...

    async def start(self) -> None:
        """Start the server and wait until it accepts requests."""
        ...

    async def stop(self) -> None:
        """Shut the server down."""
        ...

    async def kill(self) -> None:
        """Kill the server, as in a crash."""
        ...


class Infra(Protocol):
    """A Kafka and a PostgreSQL."""

    outlives_session: bool  # whether the servers still run after the suite

    @property
    def kafka_bootstrap(self) -> str:
        """Return the bootstrap address of Kafka."""
        ...

    def admin_dsn(self, database: str = "postgres") -> str:
        """Return a superuser's connection string."""
        ...

    @property
    def kafka(self) -> Server: ...

    @property
    def postgres(self) -> Server: ...


@asynccontextmanager
async def down(server: Server, *, how: Literal["stop", "kill"] = "stop") -> AsyncGenerator[None]:
    """Stop or kill the server for the duration of the block, and start it again also after an error."""
    await (server.stop() if how == "stop" else server.kill())
    try:
        yield
    finally:
        if not server.running:
            await server.start()
