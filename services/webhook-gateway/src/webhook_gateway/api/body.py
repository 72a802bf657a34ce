"""Reading a request body within limits: size, time, pieces, and memory of all requests together (GW-12)."""

from dataclasses import dataclass

from litestar.types import Receive

from chassis.process.timeouts import Timeouts
from contracts.reasons import RefusalReason

DRAIN_BYTES_MAX = 8 * 1024 * 1024
"""Of a body that is too large so much is read and thrown away, so that a sender that is still writing gets
to see the 413 instead of a reset connection."""

PIECES_MAX = 4096
"""A body of the largest size comes in some 360 segments; one that drips in more has no sender in earnest."""


class ClientDisconnectedError(Exception):
    """The client went away while sending: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class BodyRefused:
    """The body was not taken.

    Attributes:
        reason: BODY_TOO_LARGE, BODY_INCOMPLETE, or OVERLOADED where other bodies fill the memory.
        received: what was read and kept of it.
        is_drained: whether the rest was read, so that the connection can serve another request.
    """

    reason: RefusalReason
    received: bytes
    is_drained: bool


class Room:
    """Memory for the bodies of all requests under way.

    Args:
        bytes_max: how much that is.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.bytes_taken = 0

    def has(self, size: int) -> bool:
        """Whether there is room for so many bytes more."""
        return self.bytes_taken + size <= self._bytes_max


class IncomingBody:
    """The body of one request, which takes room until `release`.

    Args:
        receive: of the request.
        room: shared by all requests.
        bytes_max: larger bodies are refused.
        timeouts: of slow ones, which are refused too.
    """

    __slots__ = ("_bytes_max", "_ended", "_held", "_pieces", "_receive", "_room", "_timeouts")

    def __init__(self, receive: Receive, room: Room, *, bytes_max: int, timeouts: Timeouts) -> None:
        self._receive = receive
        self._room = room
        self._bytes_max = bytes_max
        self._timeouts = timeouts
        self._held = 0
        self._pieces = 0
        self._ended = False

    async def read(self) -> bytes | BodyRefused:
        """The whole body, exactly as received.

        Raises:
            ClientDisconnectedError: the client went away.
        """
        body = bytearray()
        try:
            with self._timeouts.begin():
                while not self._ended and len(body) <= self._bytes_max:
                    if self._pieces == PIECES_MAX:
                        break
                    piece = await self._next()
                    if not self._room.has(len(piece)):
                        return BodyRefused(RefusalReason.OVERLOADED, bytes(body), self._ended)
                    self._hold(len(piece))
                    if self._ended and not body:  # as nearly all come: nothing is copied
                        return self._judge(piece)
                    body += piece
                await self._drain()
        except TimeoutError:
            pass
        return self._judge(bytes(body))

    def release(self) -> None:
        """The body is needed no more."""
        self._room.bytes_taken -= self._held
        self._held = 0

    def _judge(self, body: bytes) -> bytes | BodyRefused:
        if len(body) > self._bytes_max:
            return BodyRefused(RefusalReason.BODY_TOO_LARGE, body[: self._bytes_max], self._ended)
        if not self._ended:
            return BodyRefused(RefusalReason.BODY_INCOMPLETE, body, is_drained=False)
        return body

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientDisconnectedError
        self._pieces += 1
        self._ended = not message["more_body"]
        return message["body"]

    def _hold(self, size: int) -> None:
        self._held += size
        self._room.bytes_taken += size

    async def _drain(self) -> None:
        """Read on behind a body that is too large, and keep nothing of it."""
        drained = 0
        while not self._ended and self._pieces < PIECES_MAX and drained <= DRAIN_BYTES_MAX:
            drained += len(await self._next())
