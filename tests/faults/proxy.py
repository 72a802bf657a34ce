"""A TCP proxy between a service and its server, which can do what bad networks do.

It forwards bytes both ways through `upward` (from the client) and `downward` (to it), each with a latency and
a slice size, and can be told to swallow one direction, to cut all connections, or to cut one just after the
server has answered something whose answer must then be lost.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK_BYTES_MAX = 64 * 1024


@dataclass
class Direction:
    """How bytes travel one way.

    Attributes:
        latency_seconds: added to every chunk.
        slice_bytes_max: chunks are cut down to this.
        swallowed: nothing arrives, and nobody is told: a one-way partition.
    """

    latency_seconds: float = 0.0
    slice_bytes_max: int = CHUNK_BYTES_MAX
    swallowed: bool = False


@dataclass
class Link:
    """One client's connection and ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    doomed: bool = False

    def cut(self) -> None:
        """End both at once, unsent bytes and all."""
        self.client.transport.abort()
        self.server.transport.abort()


@dataclass
class Proxy:
    """Listens on `port` of this machine and forwards to `target`.

    Attributes:
        lose_answer_to: asked for every chunk from a client; says whether its answer is to be lost: the server
            gets the chunk, and the connection is cut as soon as the server has answered.
        lost: how many answers were.
    """

    target: tuple[str, int]
    upward: Direction = field(default_factory=Direction)
    downward: Direction = field(default_factory=Direction)
    lose_answer_to: Callable[[bytes], bool] = lambda _chunk: False
    lost: int = 0
    port: int = 0
    _links: list[Link] = field(default_factory=list[Link])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator["Proxy"]:
        """Open inside the block; all connections end with it."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection; new ones may be made."""
        for link in self._links:
            link.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.append(link)
        both = (self._up(reader, link), self._down(from_server, link))
        tasks = [asyncio.create_task(each) for each in both]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        link.cut()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.difference_update(tasks)
        self._links.remove(link)

    async def _up(self, reader: asyncio.StreamReader, link: Link) -> None:
        async for chunk in _chunks(reader, self.upward):
            link.doomed = link.doomed or self.lose_answer_to(chunk)
            link.server.write(chunk)
            await link.server.drain()

    async def _down(self, reader: asyncio.StreamReader, link: Link) -> None:
        async for chunk in _chunks(reader, self.downward):
            if link.doomed:
                self.lost += 1
                return
            link.client.write(chunk)
            await link.client.drain()


async def _chunks(reader: asyncio.StreamReader, way: Direction) -> AsyncGenerator[bytes]:
    """What arrives, as slowly and in pieces as that way has it; it ends when the connection does."""
    while True:
        try:
            chunk = await reader.read(way.slice_bytes_max)
        except ConnectionError:
            return
        if not chunk:
            return
        if way.latency_seconds:
            await asyncio.sleep(way.latency_seconds)
        if not way.swallowed:
            yield chunk


def address(dsn: str) -> tuple[str, int]:
    """Where a connection string leads."""
    parts = urlsplit(dsn)
    return parts.hostname or "127.0.0.1", parts.port or 5432


def through(dsn: str, proxy: Proxy) -> str:
    """The same connection string, by way of the proxy."""
    parts = urlsplit(dsn)
    credentials = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{credentials}@127.0.0.1:{proxy.port}").geturl()
