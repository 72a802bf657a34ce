"""Reads a request body within limits: size, time, pieces, and memory of all requests together (GW-12)."""

from dataclasses import dataclass

from litestar.types import Receive
from prometheus_client import Gauge

from contracts.reasons import RefusalReason
from webhook_gateway.adapters.timeouts import shared_timeout

# Bytes of a body that is too large are read and dropped up to this limit, so that a sender that is still
# writing receives the 413 instead of a reset connection.
DRAIN_BYTES_MAX = 8 * 1024 * 1024

# A body of the largest size arrives in some 360 TCP segments; no genuine sender needs more pieces than this.
PIECES_MAX = 4096


class ClientDisconnectedError(Exception):
    """The client disconnected while sending the body."""


@dataclass(frozen=True, slots=True)
class RefusedBody:
    """A body that was refused.

    Attributes:
        reason: BODY_TOO_LARGE, BODY_INCOMPLETE, or OVERLOADED where other bodies fill the memory budget.
        received: the bytes that were read and kept.
        is_drained: whether the rest was read, so that the connection can serve another request.
    """

    reason: RefusalReason
    received: bytes
    is_drained: bool


class MemoryBudget:
    """Memory shared by the bodies of all requests in flight.

    Args:
        bytes_max: its size.
        gauge: set to the bytes taken.
    """

    def __init__(self, bytes_max: int, gauge: Gauge) -> None:
        self._bytes_max = bytes_max
        self._gauge = gauge
        self.bytes_taken = 0

    def fits(self, size: int) -> bool:
        """Return whether `size` more bytes are available."""
        return self.bytes_taken + size <= self._bytes_max

    def take(self, size: int) -> None:
        """Take bytes; give them back with a negative `size`."""
        self.bytes_taken += size
        self._gauge.set(self.bytes_taken)


class IncomingBody:
    """The body of one request. It occupies the memory budget until `release`.

    Args:
        receive: of the request.
        memory: budget shared by all requests.
        bytes_max: larger bodies are refused.
        seconds_max: slower bodies are refused.
    """

    __slots__ = ("_bytes_max", "_ended", "_held", "_memory", "_pieces", "_receive", "_seconds_max")

    def __init__(self, receive: Receive, memory: MemoryBudget, *, bytes_max: int, seconds_max: float) -> None:
        self._receive = receive
        self._memory = memory
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._held = 0
        self._pieces = 0
        self._ended = False

    async def read(self) -> bytes | RefusedBody:
        """Return the whole body, exactly as received.

        Raises:
            ClientDisconnectedError: the client disconnected.
        """
        body = bytearray()
        try:
            async with shared_timeout(self._seconds_max):
                while not self._ended and len(body) <= self._bytes_max:
                    if self._pieces == PIECES_MAX:
                        break
                    piece = await self._next()
                    if not self._memory.fits(len(piece)):
                        return RefusedBody(RefusalReason.OVERLOADED, bytes(body), self._ended)
                    self._hold(len(piece))
                    if self._ended and not body:  # nearly always: nothing is copied
                        return self._result(piece)
                    body += piece
                await self._drain()
        except TimeoutError:
            pass
        return self._result(bytes(body))

    def release(self) -> None:
        """Return the memory to the budget."""
        self._memory.take(-self._held)
        self._held = 0

    def _result(self, body: bytes) -> bytes | RefusedBody:
        if len(body) > self._bytes_max:
            return RefusedBody(RefusalReason.BODY_TOO_LARGE, body[: self._bytes_max], self._ended)
        if not self._ended:
            return RefusedBody(RefusalReason.BODY_INCOMPLETE, body, is_drained=False)
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
        self._memory.take(size)

    async def _drain(self) -> None:
        """Read the rest of a body that is too large and drop it."""
        drained = 0
        while not self._ended and self._pieces < PIECES_MAX and drained <= DRAIN_BYTES_MAX:
            drained += len(await self._next())
