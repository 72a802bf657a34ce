"""A connection is one stream: how it is cut into reads, and when answers are due, changes no answer."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from webhook_gateway.server.protocol import BoundedHttpProtocol

BODIES = st.binary(max_size=40)
PIECES = st.lists(st.binary(min_size=1, max_size=12), max_size=4)
ENDINGS = {
    "open": b"",
    "half": b"POST /never HTTP/1.1\r\nHost: a\r\nContent-Le",
    "garbage": b"\x00 no request\r\n\r\n",
}
TURNS = 12
"""Turns of the loop: more than any step here needs."""


@dataclass(frozen=True)
class Asked:
    """A request as sent, and the body that the application must receive."""

    written: bytes
    body: bytes = b""
    closes: bool = False
    has_no_body_back: bool = False


def sized(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(head: bytes, pieces: Sequence[bytes]) -> bytes:
    told = b"".join(b"%x;as=is\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + told + b"0\r\nX-Trailer: b\r\n\r\n"


HEAD = b"POST /p?q HTTP/1.1\r\nHost: a\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
REQUESTS = st.one_of(
    st.just(Asked(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
    st.just(Asked(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", has_no_body_back=True)),
    st.just(Asked(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")),
    BODIES.map(lambda body: Asked(sized(HEAD, body), body)),
    BODIES.map(lambda body: Asked(sized(HEAD + UPGRADE, body), body)),
    PIECES.map(lambda pieces: Asked(chunked(HEAD, pieces), b"".join(pieces))),
    PIECES.map(lambda pieces: Asked(chunked(HEAD + UPGRADE, pieces), b"".join(pieces))),
)
LAST = st.one_of(
    REQUESTS,
    BODIES.map(lambda body: Asked(sized(HEAD + b"Connection: close\r\n", body), body, closes=True)),
    BODIES.map(lambda body: Asked(sized(b"POST / HTTP/1.0\r\n", body), body, closes=True)),
)


class Wire(asyncio.Transport):
    """A transport that records writes and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_read = True
        self._is_closing = False

    def write(self, data: Any) -> None:
        assert not self._is_closing
        self.written += data

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def get_write_buffer_size(self) -> int:
        return 0


@dataclass
class Talk:
    """A connection and its application, which answers once for each `answer()`."""

    wire: Wire = field(default_factory=Wire)
    allowed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def __post_init__(self) -> None:
        config = uvicorn.Config(
            self.app, interface="asgi3", proxy_headers=False, log_config=None, lifespan="off"
        )
        config.load()
        self.protocol = BoundedHttpProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.wire)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            body, more = body + message["body"], message["more_body"]
        await self.allowed.acquire()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        said = echo(scope["method"].encode(), scope["raw_path"] + query, body)
        headers = ((b"content-length", b"%d" % len(said)),)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said, "more_body": False})

    async def hear(self, piece: bytes) -> None:
        """Hand one read to the protocol, as soon as reading is not paused."""
        await rest()
        while not self.wire.is_read and not self.wire.is_closing():
            await self.answer()
        if not self.wire.is_closing():
            self.protocol.data_received(piece)
            await rest()

    async def answer(self) -> None:
        self.allowed.release()
        await rest()

    async def end(self) -> None:
        if not self.wire.is_closing() and not self.protocol.eof_received():
            self.wire.close()
        await rest()


def echo(*heard: bytes) -> bytes:
    return hashlib.sha256(repr(heard).encode()).hexdigest().encode()


async def rest() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def told(asked: Asked, *, closes: bool) -> bytes:
    method, path, _ = asked.written.lstrip().split(b" ", 2)
    said = echo(method, path, asked.body)
    end = b"connection: close\r\n" if closes else b""
    body = b"" if asked.has_no_body_back else said
    return b"HTTP/1.1 200 OK\r\ncontent-length: 64\r\n" + end + b"\r\n" + body


async def converse(
    asked: Sequence[Asked], ending: str, cuts: Sequence[int], answered: Sequence[bool]
) -> Wire:
    stream = b"".join(each.written for each in asked) + ENDINGS[ending]
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    talk = Talk()
    for (begin, end), now in zip(pairwise(at), [*answered, *[False] * len(at)], strict=False):
        if now:
            await talk.answer()
        await talk.hear(stream[begin:end])
    await talk.end()
    for _ in asked:
        await talk.answer()
    talk.protocol.connection_lost(None)
    assert not talk.protocol.tasks
    return talk.wire


@given(
    asked=st.tuples(st.lists(REQUESTS, max_size=4), LAST).map(lambda both: [*both[0], both[1]]),
    ending=st.sampled_from(sorted(ENDINGS)),
    cuts=st.lists(st.integers(min_value=0, max_value=1000), max_size=12),
    answered=st.lists(st.booleans(), max_size=12),
)
def test_every_whole_request_gets_its_answer_and_the_last_one_closes(
    asked: list[Asked], ending: str, cuts: list[int], answered: list[bool]
) -> None:
    wire = asyncio.run(converse(asked, ending, cuts, answered))
    *before, last = asked
    expected = b"".join(told(each, closes=False) for each in before)
    assert wire.written.startswith(expected)
    heard = wire.written.removeprefix(expected)
    # It closes where the end was known before it was due.
    answers = {told(last, closes=True), told(last, closes=last.closes)}
    behind = [heard.removeprefix(each) for each in answers if heard.startswith(each)]
    assert behind
    assert behind == [b""] or (ending == "garbage" and behind[0].startswith(b"HTTP/1.1 400 "))
    assert wire.is_closing()
