"""HTTP on a bare socket: requests that no client would send, and answers read as they come."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chassis.http.problems import PROBLEM_JSON, PROBLEM_TYPE_PREFIX

ANSWER_SECONDS_MAX = 10.0
_PIECE_BYTES_MAX = 65_536
_MOMENT_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """A status line, headers by lower-case name, and a body if the headers announce one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Return whether the answer announces the end of the connection."""
        return self.headers.get("connection") == "close"

    @property
    def reason(self) -> str:
        """Of a refusal, from the closed list; empty where it names none."""
        if not self.body or self.headers["content-type"] != PROBLEM_JSON:
            return ""
        return json.loads(self.body).get("reason", "")


class Conversation:
    """One connection. No wait is longer than ANSWER_SECONDS_MAX."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.port: int = connected.getsockname()[1]
        self._heard = bytearray()
        self._ended = False

    async def say(self, request: bytes) -> None:
        """Send it, or as much of it as the other end takes: what it closes on, it has answered."""
        with suppress(ConnectionError):
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await asyncio.get_running_loop().sock_sendall(self._socket, request)

    def say_no_more(self) -> None:
        """Half-close: nothing more will be sent, but answers are awaited."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close it without a goodbye (RST), as a process that is killed does with what it has not read."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def ask(self, request: bytes, *, seconds_max: float = ANSWER_SECONDS_MAX) -> Answer:
        """Send it and read the answer at the same time, because that may come before all has been sent."""
        speaking = asyncio.create_task(self.say(request))
        try:
            return await self.answer(to_head=request.startswith(b"HEAD "), seconds_max=seconds_max)
        finally:
            await _ended(speaking)

    async def ask_slowly(self, pieces: Iterable[bytes]) -> Answer:
        """Send piece after piece, each a moment later than the one before it, until there is an answer."""
        hearing = asyncio.create_task(self.answer())
        try:
            for piece in pieces:
                await self.say(piece)
                if (await asyncio.wait({hearing}, timeout=_MOMENT_SECONDS))[0]:
                    break
            return await hearing
        finally:
            await _ended(hearing)

    async def answer(self, *, to_head: bool = False, seconds_max: float = ANSWER_SECONDS_MAX) -> Answer:
        """The next answer, also an interim one.

        Raises:
            EOFError: the connection was closed before a whole one came.
            TimeoutError: nothing or not all of it came in time.
        """
        async with asyncio.timeout(seconds_max):
            while (end := self._heard.find(b"\r\n\r\n")) < 0:
                await self._hear()
            status_line, *lines = bytes(self._heard[:end]).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            body_at, length = end + 4, 0 if to_head else int(headers.get("content-length", "0"))
            while len(self._heard) < body_at + length:
                await self._hear()
        body = bytes(self._heard[body_at : body_at + length])
        del self._heard[: body_at + length]
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        return Answer(int(status), headers, body)

    async def rest(self, *, seconds_max: float = ANSWER_SECONDS_MAX) -> bytes:
        """All that comes until the other end closes.

        Raises:
            TimeoutError: it does not close.
        """
        with suppress(EOFError):
            async with asyncio.timeout(seconds_max):
                while True:
                    await self._hear()
        return bytes(self._heard)

    async def _hear(self) -> None:
        try:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, _PIECE_BYTES_MAX)
        except ConnectionError:  # it did not read all that was sent to it
            piece = b""
        if not piece:
            raise EOFError(f"closed after {bytes(self._heard)!r}")
        self._heard += piece


@asynccontextmanager
async def conversation(url: str) -> AsyncGenerator[Conversation]:
    """A new connection to a service at its base URL."""
    target = urlsplit(url)
    with socket.socket() as connected:
        connected.setblocking(False)  # noqa: FBT003 - the socket's own signature
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await asyncio.get_running_loop().sock_connect(connected, (target.hostname, target.port))
        yield Conversation(connected)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Nobody waits for the socket any more: its number is soon another one's."""
    task.cancel()
    await asyncio.wait({task})


def assert_typed(answer: Answer) -> None:
    """Every error is a problem (RFC 9457); a HEAD is answered without its body."""
    assert answer.headers["content-type"] == PROBLEM_JSON, answer
    if answer.body:
        problem = json.loads(answer.body)
        assert problem["status"] == answer.status, answer
        assert problem["type"].startswith(PROBLEM_TYPE_PREFIX), answer
