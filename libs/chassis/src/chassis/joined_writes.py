"""One write per answer: uvicorn writes head and body of an answer one by one, each a system call.

A system call costs as much as verifying a signature, and the answers of a service here are short. What is
written in one turn of the event loop leaves in one piece.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

WAITING_BYTES_MAX = 16 * 1024
"""More than that is handed on at once: a long answer is not kept back, and sees its flow control."""


class JoinedWritesProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a transport that joins writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has connected."""
        super().connection_made(cast("asyncio.Transport", JoiningTransport(transport, self.loop)))


class JoiningTransport:
    """A transport whose writes wait for the end of the turn; everything else is the transport's own.

    Args:
        transport: of the connection.
        loop: that it lives on.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def write(self, data: bytes) -> None:
        """Hand over bytes; they leave, in order, when the turn ends."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        """Close once everything that waits is written."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._waiting:
            data, self._waiting, self._waiting_bytes = b"".join(self._waiting), [], 0
            self._transport.write(data)
