"""Reading a request body within limits: size, time, and how much of an oversized one is drained (GW-12)."""

import asyncio
from dataclasses import dataclass

from litestar.types import Receive

from contracts.reasons import RefusalReason

DRAIN_BYTES_MAX = 8 * 1024 * 1024
"""Of a body that is too large so much is read and thrown away, so that a sender that is still writing gets
to see the 413 instead of a reset connection."""


class ClientDisconnectedError(Exception):
    """The client went away while sending: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class BodyRefused:
    """The body was not taken.

    Attributes:
        reason: BODY_TOO_LARGE or BODY_INCOMPLETE.
        received: what was read and kept of it.
        is_drained: whether the rest was read, so that the connection can serve another request.
    """

    reason: RefusalReason
    received: bytes
    is_drained: bool


class _Chunks:
    """A request's body, piece by piece."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def next(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientDisconnectedError
        self.ended = not message["more_body"]
        return message["body"]


async def read_body(receive: Receive, *, bytes_max: int, seconds_max: float) -> bytes | BodyRefused:
    """The whole body, exactly as received.

    Raises:
        ClientDisconnectedError: the client went away.
    """
    chunks, body, drained = _Chunks(receive), bytearray(), 0
    try:
        async with asyncio.timeout(seconds_max):
            while not chunks.ended and len(body) <= bytes_max:
                body += await chunks.next()
            while not chunks.ended and drained <= DRAIN_BYTES_MAX:
                drained += len(await chunks.next())
    except TimeoutError:
        if len(body) <= bytes_max:
            return BodyRefused(RefusalReason.BODY_INCOMPLETE, bytes(body), is_drained=False)
    if len(body) > bytes_max:
        return BodyRefused(RefusalReason.BODY_TOO_LARGE, bytes(body[:bytes_max]), chunks.ended)
    return bytes(body)
