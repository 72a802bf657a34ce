"""uvicorn's HTTP/1.1 protocol with limits on request heads. Methods not overridden are inherited unchanged.

uvicorn waits for the head of a request without a deadline and keeps it whatever its size. It loses the body
of a request that offers an upgrade (github.com/Kludex/uvicorn/issues/2722), adds trailers to the headers, and
does not answer a client that half-closed the connection behind its request, as `nc -N` does (RFC 9293, 3.6).
"""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from chassis.http.problems import PROBLEM_JSON, problem_body
from webhook_gateway.server.ready_answers import ReadyAnswers

HEAD_SECONDS_MAX = 10.0
"""From a new connection, or from the first byte of a further request, to the end of its headers."""
HEAD_BYTES_MAX = 64 * 1024
"""Of the target and all headers. An unfinished head may take two reads more before it is refused."""

_CONNECT = b"CONNECT"


class HeadTooLargeError(ValueError):
    """The head has more than HEAD_BYTES_MAX."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection to a client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_deadline: asyncio.TimerHandle | None = None
        self._is_in_head = False
        self._read_bytes = 0  # of the current read
        self._head_bytes = 0  # of the reads after the one in which the unfinished head began
        self._head_again = b""  # of a request that offers an upgrade, without the offer

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._read_bytes = len(data)
        if self._is_in_head:
            self._head_bytes += len(data)
        self._parse(data)
        if self.transport.is_closing():
            return
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse_rest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._head_deadline is None and (self._is_in_head or not self._is_busy()):
            self._start_deadline()

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio asks for a bool
        """Answer the requests that came whole, then close. Return False to close at once."""
        cycle: Any = self.cycle  # None before the first request, against uvicorn's type
        if not self._is_busy() or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Ignore trailers (RFC 9110, 6.5.1), and spaces behind a value (RFC 9110, 5.5)."""
        if self._is_in_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Start the request, or keep its head without the offer of an upgrade to parse it again.

        Raises:
            HeadTooLargeError: the parser stops with it.
        """
        self._stop_deadline()
        self._is_in_head = False
        # A head that comes whole in one short read needs no count.
        if self._head_bytes or self._read_bytes > HEAD_BYTES_MAX:
            size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
            if size > HEAD_BYTES_MAX:
                raise HeadTooLargeError
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != _CONNECT:
            line = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
            kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            self._head_again = b"".join([line, *kept, b"\r\n"])
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._head_again:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._answer(HTTPStatus.BAD_REQUEST, "invalid-request", msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, ReadyAnswers(cycle, app))

    def _is_busy(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, against uvicorn's type
        return cycle is not None and not cycle.response_complete

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError as error:
                is_large = isinstance(error.__context__, HeadTooLargeError)
                self._refuse_rest(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if is_large else HTTPStatus.BAD_REQUEST
                )
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade(data[upgrade.args[0] :])
                continue
            return

    def _without_upgrade(self, rest: bytes) -> bytes:
        """Return the bytes to parse next: the head without the offer, and the rest of the read behind it."""
        head, self._head_again = self._head_again, b""
        if not head:  # CONNECT: the rest is meant for a tunnel
            self.cycle.keep_alive = False
            return b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return head + rest

    def _start_deadline(self) -> None:
        self._head_deadline = self.loop.call_later(HEAD_SECONDS_MAX, self._end_head)

    def _stop_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _end_head(self) -> None:
        self._head_deadline = None
        if self._is_busy():
            self.cycle.keep_alive = False  # the pending answer goes first, and closes the connection
        elif self._is_in_head:
            self._answer(HTTPStatus.REQUEST_TIMEOUT, "head-incomplete", "the headers did not arrive in time")
        else:
            self.transport.close()

    def _refuse_rest(self, status: HTTPStatus) -> None:
        """Refuse what cannot be parsed or is too large, behind the answers that are still pending."""
        cycle: Any = self.cycle  # None before the first request, against uvicorn's type
        if self._is_busy() and not cycle.more_body:
            cycle.keep_alive = False
            self.flow.pause_reading()
        elif cycle is not None and cycle.more_body and (cycle.response_started or self.pipeline):
            self.transport.close()  # an error here would be read as part, or in place, of another answer
        elif status == HTTPStatus.BAD_REQUEST:
            self.send_400_response("this is no HTTP request")
        else:
            self._answer(status, "head-too-large", "the headers are too long")

    def _answer(self, status: HTTPStatus, kind: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        body = msgspec.json.encode(problem_body(status, kind, detail))
        head = f"content-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()
