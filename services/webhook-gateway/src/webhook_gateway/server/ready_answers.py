"""Write an answer that is known in advance in one system call.

uvicorn checks each header of each answer, and writes head and body separately. Each write is a system call
that costs as much as verifying a signature.
"""

from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# Headers in a tuple mark a ready-made answer: our own code wrote them, no part of them comes from a request,
# their names are in lower case, `content-length` is right, and the body follows in one message.
ReadyHeaders = tuple[tuple[bytes, bytes], ...]


class ReadyAnswers:
    """An application whose ready-made answers bypass uvicorn's `send`. All other messages go through it.

    Args:
        cycle: uvicorn's state of the request.
        app: the application that answers the request.
    """

    __slots__ = ("_app", "_cycle", "_head")

    def __init__(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._cycle = cycle
        self._app = app
        self._head: bytes | None = None  # of a ready-made answer whose body has not come yet

    async def __call__(self, scope: Any, receive: Any, _send: Any) -> None:
        await self._app(scope, receive, self._send)

    async def _send(self, message: Any) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._write(head + message["body"])
        elif self._can_write() and isinstance(headers := message.get("headers"), tuple):
            self._cycle.response_started = True
            self._cycle.waiting_for_100_continue = False
            default = [b"%b: %b\r\n" % header for header in self._cycle.default_headers]  # the date
            encoded = _encode(cast("ReadyHeaders", headers))
            self._head = b"".join([STATUS_LINE[message["status"]], *default, encoded])
        else:
            await self._cycle.send(message)

    def _can_write(self) -> bool:
        cycle = self._cycle
        return (
            cycle.keep_alive
            and not cycle.response_started
            and not cycle.flow.write_paused
            and cycle.scope["method"] != "HEAD"
        )

    def _write(self, answer: bytes) -> None:
        cycle = self._cycle
        if not cycle.disconnected:
            cycle.transport.write(answer)
            cycle.response_complete = True
            cycle.message_event.set()
            cycle.on_response()


@lru_cache(maxsize=256)
def _encode(headers: ReadyHeaders) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers]) + b"\r\n"
