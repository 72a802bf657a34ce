"""Senders that stand in front of a service and are let in together.

Each has opened a connection and sent the head of its request, so that the service has it in hand, and
holds back the body until the gate opens. What they cost a sending process is little, which a client for
every day is not: it would be slower than what it is meant to overrun.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from faults.load import REQUEST_SECONDS_MAX

_HEAD_END = b"\r\n\r\n"
_TRY_AGAIN = 503


class Gate:
    """`post` is how such a sender delivers; once the gate is open, nobody waits any more.

    Attributes:
        standing: how many have sent the head of a request since the gate was made.
        turned_away: how many were answered 503 before it opened.
    """

    def __init__(self) -> None:
        self.standing = 0
        self.turned_away = 0
        self._opened = asyncio.get_running_loop().create_future()

    def open(self) -> None:
        """Let them in."""
        self._opened.set_result(None)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Deliver on a connection of one's own.

        Raises:
            httpx.TransportError: as a client for every day does.
        """
        parts = urlsplit(url)
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        answer = asyncio.create_task(_read_answer(reader))
        try:
            writer.write(_head(parts.path, parts.netloc, body, headers))
            await self._wait(answer)
            if not answer.done():
                writer.write(body)
            async with asyncio.timeout(REQUEST_SECONDS_MAX):  # from when it was let in
                return await answer
        except (OSError, EOFError) as error:
            raise httpx.ReadError(str(error)) from error
        finally:
            answer.cancel()
            writer.close()

    async def _wait(self, answer: asyncio.Task[httpx.Response]) -> None:
        """Until the gate is open, also with an answer in hand: nobody comes twice before."""
        if self._opened.done():
            return
        self.standing += 1
        await asyncio.wait({answer, self._opened}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and not answer.exception():
            self.turned_away += answer.result().status_code == _TRY_AGAIN
        await asyncio.wait({self._opened})


def _head(path: str, host: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    fields = {"host": host, "connection": "close", "content-length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + _HEAD_END


async def _read_answer(reader: asyncio.StreamReader) -> httpx.Response:
    head = (await reader.readuntil(_HEAD_END)).decode("latin-1").split("\r\n")
    headers = httpx.Headers([line.split(": ", 1) for line in head[1:] if line])
    body = await reader.readexactly(int(headers["content-length"]))
    return httpx.Response(int(head[0].split()[1]), headers=headers, content=body)
