"""A request and its answer over uvicorn, at less cost where the answer is ready-made.

uvicorn looks over each header of each answer, and writes head and body one by one, each a system call that
costs as much as verifying a signature.
"""

from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

ReadyHeaders = tuple[tuple[bytes, bytes], ...]
"""Marks an answer as ready-made, by being a tuple: it was made by our own code and not from a request, its
`content-length` is right, and its body comes in one message. Lower-case names."""


class Exchange(RequestResponseCycle):
    """One request and its answer. What is not said here is uvicorn's."""

    _head: bytes | None = None
    """Of a ready-made answer: waits for the body, and leaves with it in one write."""

    async def send(self, message: Any) -> None:
        """A part of the answer."""
        if self._head is not None:
            head, self._head = self._head, None
            if not self.disconnected:
                self._answer(head + message["body"])
        elif self._is_plain() and isinstance(headers := message.get("headers"), tuple):
            self.response_started = True
            self._head = self._ready_head(message["status"], cast("ReadyHeaders", headers))
        else:
            await super().send(message)

    def _is_plain(self) -> bool:
        """Whether head and body may simply be written: the connection goes on, and takes them."""
        return (
            self.keep_alive
            and not self.response_started
            and not self.flow.write_paused
            and self.scope["method"] != "HEAD"
        )

    def _ready_head(self, status: int, headers: ReadyHeaders) -> bytes:
        told = [b"%b: %b\r\n" % header for header in self.default_headers]  # the date
        return b"".join([STATUS_LINE[status], *told, _encoded(headers)])

    def _answer(self, whole: bytes) -> None:
        self.transport.write(whole)
        self.response_complete = True
        self.message_event.set()
        self.on_response()


@lru_cache(maxsize=256)
def _encoded(headers: ReadyHeaders) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers]) + b"\r\n"
