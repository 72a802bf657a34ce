"""The proxy does to a connection what it is told, against a real PostgreSQL where that matters."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from faults.proxy import Direction, Proxy, address, through
from harness import Infra


@asynccontextmanager
async def echo() -> AsyncGenerator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1024):
                writer.write(chunk)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def proxy() -> AsyncGenerator[Proxy]:
    async with echo() as port, Proxy(("127.0.0.1", port)).listening() as listening:
        yield listening


async def ask(proxy: Proxy, text: bytes, seconds: float = 5.0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text)
        return await asyncio.wait_for(reader.readexactly(len(text)), seconds)
    finally:
        writer.close()


async def test_clear_way_forwards_both_ways(proxy: Proxy) -> None:
    assert await ask(proxy, b"hello") == b"hello"


async def test_latency_delays_each_way(proxy: Proxy) -> None:
    proxy.upward.latency_seconds = proxy.downward.latency_seconds = 0.1
    began = time.monotonic()
    assert await ask(proxy, b"hello") == b"hello"
    assert time.monotonic() - began >= 0.2


async def test_latency_does_not_hold_up_what_is_behind(proxy: Proxy) -> None:
    proxy.upward.latency_seconds, proxy.upward.jitter_seconds = 0.3, 0.1
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    began = time.monotonic()
    for number in range(8):
        writer.write(b"%d" % number)
        await asyncio.sleep(0.01)  # each is a chunk of its own
    assert await asyncio.wait_for(reader.readexactly(8), 5) == b"01234567"
    assert time.monotonic() - began < 8 * 0.2
    writer.close()


async def test_slices_arrive_whole(proxy: Proxy) -> None:
    proxy.upward.slice_bytes_max = proxy.downward.slice_bytes_max = 1
    assert await ask(proxy, b"hello") == b"hello"


def test_chunk_arrives_once_though_its_slices_grow_meanwhile() -> None:
    way = Direction(slice_bytes_max=1)
    pieces = way.pieces(b"hello")
    first = next(pieces)
    way.slice_bytes_max = 64
    assert first + b"".join(pieces) == b"hello"


@pytest.mark.parametrize("way", ["upward", "downward"])
async def test_swallowed_direction_stays_silent(proxy: Proxy, way: str) -> None:
    getattr(proxy, way).swallowed = True
    with pytest.raises(TimeoutError):
        await ask(proxy, b"hello", seconds=0.3)


async def test_cut_ends_open_connections_and_admits_new_ones(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    proxy.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    assert await ask(proxy, b"hello") == b"hello"


async def test_cut_is_an_error_to_the_client_and_no_end(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    assert proxy.resets == 1
    writer.close()


async def test_rewritten_bytes_arrive_as_others(proxy: Proxy) -> None:
    proxy.downward.rewritten = {b"hello": b"howdy"}
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello!")
    assert await asyncio.wait_for(reader.readexactly(6), 5) == b"howdy!"
    writer.close()


async def test_server_away_refuses_the_client() -> None:
    async with echo() as port:
        pass
    async with Proxy(("127.0.0.1", port)).listening() as proxy:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(proxy, b"hello")


async def test_lost_answer_to_commit_has_committed_all_the_same(infra: Infra) -> None:
    dsn = infra.admin_dsn()
    async with Proxy(address(dsn)).listening() as proxy:
        connection = await asyncpg.connect(through(dsn, proxy))
        await connection.execute("CREATE TABLE proxied (id integer)")
        proxy.lose_answer_to = lambda chunk: b"COMMIT" in chunk
        with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            async with connection.transaction():
                await connection.execute("INSERT INTO proxied VALUES (1)")
        assert proxy.lost == 1
    witness = await asyncpg.connect(dsn)
    try:
        assert await witness.fetchval("SELECT count(*) FROM proxied") == 1
    finally:
        await witness.execute("DROP TABLE proxied")
        await witness.close()
