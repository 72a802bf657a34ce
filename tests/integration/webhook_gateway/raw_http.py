"""HTTP on a bare socket: send requests that no HTTP client sends, and parse the answers."""

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
        """Return whether the connection closes after the answer."""
        return self.headers.get("connection") == "close"

    @property
    def reason(self) -> str:
        """Return the `reason` of a refusal, or an empty string."""
        if not self.body or self.headers["content-type"] != PROBLEM_JSON:
            return ""
        return json.loads(self.body).get("reason", "")


class Conversation:
    """One connection. By default no wait is longer than ANSWER_SECONDS_MAX."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.port: int = connected.getsockname()[1]
        self._heard = bytearray()
        self._ended = False

    async def say(self, request: bytes) -> None:
        """Send the request. Stop if the server closes the connection: its answer can be read."""
        with suppress(ConnectionError):
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await asyncio.get_running_loop().sock_sendall(self._socket, request)

    def say_no_more(self) -> None:
        """Half-close the connection: send nothing more, but read answers."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close the connection with RST, as the kernel does for a killed process with unread data."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def ask(self, request: bytes, *, seconds_max: float = ANSWER_SECONDS_MAX) -> Answer:
        """Send the request and read the answer concurrently: it may come before all is sent."""
        speaking = asyncio.create_task(self.say(request))
        try:
            return await self.answer(to_head=request.startswith(b"HEAD "), seconds_max=seconds_max)
        finally:
            await _ended(speaking)

    async def ask_slowly(self, pieces: Iterable[bytes]) -> Answer:
        """Send the pieces with a short pause before each next one, until there is an answer."""
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
        """Return the next answer, which may be an interim one (1xx).

        Raises:
            EOFError: the connection was closed before a whole answer came.
            TimeoutError: the answer did not come whole in time.
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
        """Return all bytes until the server closes the connection.

        Raises:
            TimeoutError: the server does not close it in time.
        """
        with suppress(EOFError):
            async with asyncio.timeout(seconds_max):
                while True:
                    await self._hear()
        return bytes(self._heard)

    async def _hear(self) -> None:
        try:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, _PIECE_BYTES_MAX)
        except ConnectionError:  # the server closed without reading everything
            piece = b""
        if not piece:
            raise EOFError(f"closed after {bytes(self._heard)!r}")
        self._heard += piece


@asynccontextmanager
async def conversation(url: str) -> AsyncGenerator[Conversation]:
    """Connect to a service at its base URL."""
    target = urlsplit(url)
    with socket.socket() as connected:
        connected.setblocking(False)  # noqa: FBT003 - the socket's own signature
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await asyncio.get_running_loop().sock_connect(connected, (target.hostname, target.port))
        yield Conversation(connected)


async def _ended(task: asyncio.Task[Any]) -> None:
    """End the task before its socket is closed: another socket may get the same number."""
    task.cancel()
    await asyncio.wait({task})


def assert_typed(answer: Answer) -> None:
    """Assert that the answer is a problem (RFC 9457). An answer to HEAD has no body."""
    assert answer.headers["content-type"] == PROBLEM_JSON, answer
    if answer.body:
        problem = json.loads(answer.body)
        assert problem["status"] == answer.status, answer
        assert problem["type"].startswith(PROBLEM_TYPE_PREFIX), answer
