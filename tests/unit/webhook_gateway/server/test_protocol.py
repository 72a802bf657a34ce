"""The gateway's protocol over real connections: ready-made answers, uvicorn's own, limits of heads."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from harness import eventually
from webhook_gateway.server import protocol
from webhook_gateway.server.protocol import HEAD_BYTES_MAX, BoundedHttpProtocol

KEEP_ALIVE_SECONDS = 0.2
BODY = b'{"received": true}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass
class Ground:
    """A server in this process whose application answers as the test sets it."""

    state: ServerState
    port: int
    seen: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: Any = tuple(HEADERS)
    pieces: tuple[bytes, ...] = (BODY,)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    reads_body: bool = True
    before_answer: Callable[[], None] = field(default=lambda: None)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope)
        body, more = b"", self.reads_body
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await self.go_on.wait()
        self.before_answer()
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": piece != self.pieces[-1]})


@pytest.fixture
async def ground() -> AsyncGenerator[Ground]:
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    made = Ground(state, 0)
    made.go_on.set()
    config = uvicorn.Config(
        made.app,
        interface="asgi3",
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,  # pyright: ignore[reportArgumentType] - whole seconds, says uvicorn
        log_config=None,
        lifespan="off",
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config, state, {}), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@asynccontextmanager
async def connected(ground: Ground) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", ground.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        return head, await reader.readexactly(len(BODY))


@pytest.mark.parametrize("headers", [tuple(HEADERS), HEADERS], ids=["ready-made", "made on the way"])
async def test_both_ways_to_answer_say_the_same(ground: Ground, headers: Any) -> None:
    ground.headers = headers
    async with connected(ground) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            head, body = await answer(reader)
            assert body == BODY
            assert head.split(b"\r\n")[:-2] == [
                b"HTTP/1.1 200 OK",
                b"date: today",
                b"content-type: application/json",
                b"content-length: 18",
            ]
    assert ground.state.total_requests == 3
    await eventually(lambda: not ground.state.tasks)


@pytest.mark.parametrize("headers", [tuple(HEADERS), HEADERS], ids=["ready-made", "made on the way"])
@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ids=["1.0", "close"],
)
async def test_connection_that_shall_end_ends(ground: Ground, headers: Any, request_: bytes) -> None:
    ground.headers = headers
    async with connected(ground) as (reader, writer):
        writer.write(request_)
        async with asyncio.timeout(10):
            whole = await reader.read()
    assert whole.endswith(b"connection: close\r\n\r\n" + BODY)


async def test_answer_to_head_has_no_body(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert (await answer(reader))[1] == BODY


async def test_answer_in_pieces_arrives_whole(ground: Ground) -> None:
    ground.headers, ground.pieces = HEADERS, (BODY[:3], BODY[3:])
    async with connected(ground) as (reader, writer):
        writer.write(GET)
        assert (await answer(reader))[1] == BODY


async def test_requests_sent_at_once_are_answered_in_order(ground: Ground) -> None:
    ground.go_on.clear()
    async with connected(ground) as (reader, writer):
        posts = [b"POST /%d HTTP/1.1\r\nContent-Length: 1\r\n\r\n%d" % (n, n) for n in range(4)]
        writer.write(b"".join(posts))
        await eventually(lambda: bool(ground.bodies))
        assert len(ground.bodies) == 1, "one after the other"
        ground.go_on.set()
        for _ in range(4):
            assert (await answer(reader))[1] == BODY
    assert ground.bodies == [b"0", b"1", b"2", b"3"]
    assert [scope["path"] for scope in ground.seen] == ["/0", "/1", "/2", "/3"]


@pytest.mark.parametrize("how", ["closes", "resets"])
async def test_client_that_went_away_ends_nothing(ground: Ground, how: str) -> None:
    ground.go_on.clear()
    async with connected(ground) as (_, writer):
        writer.write(GET)
        await eventually(lambda: bool(ground.bodies))
        if how == "resets":
            lingering_not = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering_not)
    if how == "resets":  # who only closes may still read
        await eventually(lambda: not ground.state.connections)
    ground.go_on.set()
    await eventually(lambda: not ground.state.tasks)
    await eventually(lambda: not ground.state.connections)
    async with connected(ground) as (reader, writer):
        writer.write(GET)
        assert (await answer(reader))[1] == BODY


async def test_idle_connection_is_closed_and_a_busy_one_is_not(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        writer.write(GET)
        await answer(reader)
        ground.go_on.clear()
        writer.write(GET)  # while the timer of the first answer runs
        loop = asyncio.get_running_loop()
        busy_until = loop.time() + 2 * KEEP_ALIVE_SECONDS
        await eventually(lambda: loop.time() > busy_until)
        ground.go_on.set()
        await answer(reader)
        answered = loop.time()
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        assert loop.time() - answered > KEEP_ALIVE_SECONDS / 2, "closed at once"


async def test_each_answer_puts_off_the_end_of_an_idle_connection(ground: Ground) -> None:
    loop = asyncio.get_running_loop()
    async with connected(ground) as (reader, writer):
        for _ in range(2):
            writer.write(GET)
            await answer(reader)
            answered = loop.time()
            await eventually(lambda until=answered + KEEP_ALIVE_SECONDS / 2: loop.time() > until)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        assert loop.time() - answered > KEEP_ALIVE_SECONDS * 0.9


async def test_path_and_query_are_read_as_asgi_wants_them(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        writer.write(b"GET /a%20b?c=%20&d HTTP/1.1\r\nX-Name: V\r\n\r\n")
        await answer(reader)
    scope = ground.seen[0]
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"c=%20&d")
    assert (scope["method"], scope["http_version"], scope["headers"]) == ("GET", "1.1", [(b"x-name", b"V")])


async def test_space_around_a_value_is_no_part_of_it(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-One: \t v w \t \r\nX-Two:\r\n\r\n")
        await answer(reader)
    assert ground.seen[0]["headers"][1:] == [(b"x-one", b"v w"), (b"x-two", b"")]


async def test_trailers_are_no_headers(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Late: 1\r\n\r\n")
        await answer(reader)
        writer.write(GET)
        await answer(reader)
    assert ground.bodies == [b"x", b""]
    assert [scope["headers"] for scope in ground.seen] == [
        [(b"transfer-encoding", b"chunked")],
        [(b"host", b"a")],
    ]


async def test_head_without_an_end_is_refused(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):
            for _ in range(16):
                writer.write(b"a" * (HEAD_BYTES_MAX // 4))
                await writer.drain()
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert b" 431 " in await reader.readline()
    await eventually(lambda: not ground.state.connections)


async def test_long_body_in_many_pieces_is_something(ground: Ground) -> None:
    body = b"b" * 3 * HEAD_BYTES_MAX
    async with connected(ground) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
        for begin in range(0, len(body), 4096):
            writer.write(body[begin : begin + 4096])
            await writer.drain()
        await answer(reader)
    assert ground.bodies == [body]


@pytest.mark.parametrize(
    "rest", [b"{}", b"{", b"\r\n"], ids=["whole body", "half a body", "a line end too many"]
)
async def test_connection_is_closed_after_its_answer_whatever_still_comes(
    ground: Ground, rest: bytes
) -> None:
    ground.reads_body = rest == b"\r\n"
    length = 0 if ground.reads_body else 2
    async with connected(ground) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
        await answer(reader)
        writer.write(rest)
        async with asyncio.timeout(10):
            assert await reader.read() == b"", "closed, and nothing more said"


async def test_connection_whose_body_came_behind_the_answer_serves_the_next_request(ground: Ground) -> None:
    ground.reads_body = False
    async with connected(ground) as (reader, writer):
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
            await answer(reader)
            writer.write(b"{}")


async def test_what_is_wrong_behind_a_request_takes_it_no_answer(ground: Ground) -> None:
    ground.go_on.clear()
    async with connected(ground) as (reader, writer):
        writer.write(GET * 2 + b"nonsense\r\n\r\n" + GET)
        await eventually(lambda: ground.seen)
        ground.go_on.set()
        for _ in range(2):
            assert (await answer(reader))[0].startswith(b"HTTP/1.1 200 ")
        async with asyncio.timeout(10):
            assert await reader.read() == b""


async def test_request_that_began_before_the_answer_to_the_one_before_is_not_idle(ground: Ground) -> None:
    async with connected(ground) as (reader, writer):
        ground.go_on.clear()
        writer.write(GET + GET[:5])
        await eventually(lambda: ground.bodies)
        ground.go_on.set()
        await answer(reader)
        ground.go_on.clear()
        writer.write(GET[5:])
        loop = asyncio.get_running_loop()
        busy_until = loop.time() + 3 * KEEP_ALIVE_SECONDS
        await eventually(lambda: loop.time() > busy_until)
        ground.go_on.set()
        await answer(reader)


async def test_head_behind_an_answer_is_due_as_any_other(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.1)
    ground.go_on.clear()
    async with connected(ground) as (reader, writer):
        writer.write(GET + GET[:5])
        (connection,) = await eventually(lambda: list(ground.state.connections))
        connection.timeout_keep_alive = 60
        await eventually(lambda: ground.bodies)
        ground.go_on.set()
        await answer(reader)
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
