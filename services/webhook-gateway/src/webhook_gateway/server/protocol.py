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
"""From a new connection to its first byte, and from the first byte of a head to its end."""
HEAD_BYTES_MAX = 64 * 1024
"""Of the target and all headers. An unfinished head may take two reads more before it is refused."""

_TOO_LARGE = (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "the headers are too long")
_TOO_LATE = (HTTPStatus.REQUEST_TIMEOUT, "head-incomplete", "the headers did not arrive in time")
_NO_HTTP = (HTTPStatus.BAD_REQUEST, "invalid-request", "this is no HTTP request")


class HeadTooLargeError(ValueError):
    """The head has more than HEAD_BYTES_MAX."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection to a client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_in_head = False
        self._read_bytes = 0  # of the current read
        self._head_bytes = 0  # of the reads after the one in which the unfinished head began
        self._head_again = b""  # of a request that offers an upgrade, without the offer
        self._due = 0.0  # in the loop's time: the end of a head, or of an idle connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._wait(HEAD_SECONDS_MAX)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._read_bytes = len(data)
        continues_head = self._is_in_head
        if continues_head:
            self._head_bytes += len(data)
        self._parse(data)
        if not self._is_in_head or self.transport.is_closing():
            return
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(*_TOO_LARGE)
        elif not continues_head and not self._is_busy():
            self._wait(HEAD_SECONDS_MAX)

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio asks for it
        """Answer the requests that came whole, then close. Return False to close at once."""
        if not self._is_busy() or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
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
        self._is_in_head = False
        # A head that comes whole in one short read needs no count.
        if self._head_bytes or self._read_bytes > HEAD_BYTES_MAX:
            size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
            if size > HEAD_BYTES_MAX:
                raise HeadTooLargeError
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            line = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
            kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
            self._head_again = b"".join([line, *kept, b"\r\n"])
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._head_again:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._wait(HEAD_SECONDS_MAX if self._is_in_head else self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if a head, or a further request, is due."""
        self.timeout_keep_alive_task = None
        if self._is_busy() or self.transport.is_closing():
            return  # a pending answer sets the next deadline
        if self.loop.time() < self._due:
            self._start_timer()
        elif self._is_in_head:
            self._answer(*_TOO_LATE)
        else:
            self.transport.close()

    def _wait(self, seconds: float) -> None:
        """Set the deadline. One timer serves a connection, where uvicorn starts one for each request."""
        self._due = self.loop.time() + seconds
        timer = self.timeout_keep_alive_task
        if timer is None or timer.when() > self._due:
            self._unset_keepalive_if_required()
            self._start_timer()

    def _start_timer(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_at(self._due, self.timeout_keep_alive_handler)

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
                self._refuse(*(_TOO_LARGE if is_large else _NO_HTTP))
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

    def _refuse(self, status: HTTPStatus, kind: str, detail: str) -> None:
        """Refuse what cannot be parsed or is too large, behind the answers that are still pending."""
        if self._is_busy() and not self.cycle.more_body:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
        elif self._is_busy() and (self.cycle.response_started or self.pipeline):
            self.transport.close()  # an error here would be read as part, or in place, of another answer
        else:
            self._answer(status, kind, detail)

    def _answer(self, status: HTTPStatus, kind: str, detail: str) -> None:
        body = msgspec.json.encode(problem_body(status, kind, detail))
        head = f"content-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()
