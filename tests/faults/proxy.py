"""A TCP proxy between a service and its server, which can do what bad networks do.

It forwards bytes both ways through `upward` (from the client) and `downward` (to it), each with a latency and
a slice size, and can be told to swallow one direction, to reset connections, or to cut one just after the
server has answered something whose answer must then be lost.
"""

import asyncio
import random
import socket
import struct
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK_BYTES_MAX = 64 * 1024
CHUNKS_UNDER_WAY_MAX = 64
"""Of one connection and way; a sender of more is not read until some have arrived."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of no time (socket(7)): closing sends RST, and what was not sent yet is thrown away."""


@dataclass
class Direction:
    """How bytes travel one way.

    Attributes:
        latency_seconds: how long every chunk is under way; those behind it do not wait for it to arrive.
        jitter_seconds: how much more or less it is, by `dice`. Bytes stay in order, as TCP has it.
        slice_bytes_max: chunks are cut down to this.
        swallowed: nothing arrives, and nobody is told: a one-way partition.
        rewritten: bytes that arrive as others: where a server tells its own address, the proxy's.
        dice: for jitter.
        carried_bytes: how many have arrived.
    """

    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    slice_bytes_max: int = CHUNK_BYTES_MAX
    swallowed: bool = False
    rewritten: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    dice: random.Random = field(default_factory=random.Random)
    carried_bytes: int = 0

    def arrival(self) -> float:
        """When a chunk that is sent now arrives, by the monotonic clock."""
        late = self.latency_seconds + self.jitter_seconds * self.dice.uniform(-1, 1)
        return time.monotonic() + max(0.0, late)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk as it arrives."""
        for told, instead in self.rewritten.items():
            chunk = chunk.replace(told, instead)
        size = self.slice_bytes_max  # of this chunk: it may change meanwhile
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]


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

    def reset(self) -> None:
        """The same, and both ends are told so (RST): to them it is an error, and no end of the stream."""
        for end in (self.client, self.server):
            if not end.transport.is_closing():
                ours = end.get_extra_info("socket")
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.cut()


@dataclass
class Proxy:
    """Listens on `port` of this machine and forwards to `target`.

    Attributes:
        lose_answer_to: asked for every chunk from a client; says whether its answer is to be lost: the server
            gets the chunk, and the connection is cut as soon as the server has answered.
        lost: how many answers were.
        resets: how many connections were.
        dice: for which are.
    """

    target: tuple[str, int]
    upward: Direction = field(default_factory=Direction)
    downward: Direction = field(default_factory=Direction)
    lose_answer_to: Callable[[bytes], bool] = lambda _chunk: False
    lost: int = 0
    resets: int = 0
    dice: random.Random = field(default_factory=random.Random)
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

    def cut(self, share: float = 1.0) -> None:
        """Reset every connection, or some; new ones may be made."""
        for link in self._links:
            if self.dice.random() < share:
                self.resets += 1
                link.reset()

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
        async with aclosing(_pieces(reader, self.upward)) as pieces:
            async for piece in pieces:
                link.doomed = link.doomed or self.lose_answer_to(piece)
                link.server.write(piece)
                await link.server.drain()

    async def _down(self, reader: asyncio.StreamReader, link: Link) -> None:
        async with aclosing(_pieces(reader, self.downward)) as pieces:
            async for piece in pieces:
                if link.doomed:
                    self.lost += 1
                    return
                link.client.write(piece)
                await link.client.drain()


async def _pieces(reader: asyncio.StreamReader, way: Direction) -> AsyncGenerator[bytes]:
    """Yield received bytes, delayed and sliced as this direction says, until the connection ends."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_UNDER_WAY_MAX)
    reading = asyncio.create_task(_take_in(reader, way, under_way))
    try:
        while True:
            arrival, chunk = await under_way.get()
            if (wait := arrival - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if not chunk:
                return
            for piece in way.pieces(chunk):
                if not way.swallowed:
                    way.carried_bytes += len(piece)
                    yield piece
                await asyncio.sleep(0)  # each piece is sent by itself
    finally:
        reading.cancel()


async def _take_in(
    reader: asyncio.StreamReader, way: Direction, under_way: asyncio.Queue[tuple[float, bytes]]
) -> None:
    """Put every chunk on its way, and at last an empty one: nothing more comes."""
    chunk = b"more"
    while chunk:
        try:
            chunk = await reader.read(CHUNK_BYTES_MAX)
        except ConnectionError:
            chunk = b""
        await under_way.put((way.arrival(), chunk))


def address(dsn: str) -> tuple[str, int]:
    """Where a connection string leads."""
    parts = urlsplit(dsn)
    return parts.hostname or "127.0.0.1", parts.port or 5432


def through(dsn: str, proxy: Proxy) -> str:
    """The same connection string, by way of the proxy."""
    parts = urlsplit(dsn)
    credentials = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{credentials}@127.0.0.1:{proxy.port}").geturl()
