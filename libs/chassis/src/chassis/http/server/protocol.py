"""HTTP/1.1 as uvicorn speaks it, with limits that it has no setting for, and its errors as problems (ALL-6).

uvicorn waits without end for the head of a request, its line and headers, and keeps however much of it comes;
for a client that does not read its answer; and for the rest of a body that was answered before it came. It
queues however many requests one read brings, and reads on while they wait. It gives no answer to a client
that closed its own direction behind its request, as `nc -N` does (RFC 9293, 3.6.1).
Of a request that asks for an upgrade it throws the body away, or takes it for the next request, because its
parser stops behind the head (github.com/Kludex/uvicorn/issues/2722).
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from chassis.http.hang_ups import READ_METHODS
from chassis.http.problems import PROBLEM_JSON, problem_body
from chassis.http.server.exchange import Exchange
from chassis.http.server.flow import PipelineFlow, UnreadAnswer

HEAD_SECONDS_MAX = 10.0
"""From a new connection, or from the first byte of a further request, to the end of its headers."""
HEAD_BYTES_MAX = 64 * 1024
"""Nobody who means well sends a quarter of this. While a head is not whole, one read more is held. As much
may come of whatever else says nothing yet: a trailer, a chunk's extension, line ends between requests."""
REQUESTS_WAITING_MAX = 100
"""Behind the one that is worked on, of one connection."""

_CONNECT = b"CONNECT"


class _Nowhere(list[tuple[bytes, bytes]]):
    """What stands behind a chunked body must not look like a header (RFC 9110, 6.5.1): it is not kept."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        pass


_NOWHERE = _Nowhere()


class HeadTooLargeError(ValueError):
    """The headers are refused before anybody looks at them."""


class TooManyRequestsError(ValueError):
    """More wait than are kept: this one and those behind it are not looked at."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. What is not said here is uvicorn's."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._has_begun = False
        self._in_body = False
        self._has_told = False
        """Whether the parser told of anything in this read."""
        self._untold_bytes = 0
        self._may_be_too_large = True
        self._is_too_large = False
        self._is_deaf = False
        """Whether nothing more is read: what came behind the last request cannot be served."""
        self._passed_over = b""
        self._idle_since: float | None = None
        self._application: Any = cast("Any", self).app  # of uvicorn's types, one that fits no other

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A head is awaited from now on."""
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        self._unread = UnreadAnswer(transport, self.loop)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_waiting()
        self._unread.forget()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it; what it adds to something unfinished is counted."""
        # A head that comes whole within a short read is short.
        self._may_be_too_large = self._has_begun or len(data) > HEAD_BYTES_MAX
        self._has_told = False
        if self._is_deaf:
            return
        self._parse(data)
        if self._is_deaf or self.transport.is_closing():
            return
        if self._has_begun and self._deadline is None:
            self._await_head()
        # What begins in this read may be anywhere in it: how far before its end nobody can say.
        self._untold_bytes = 0 if self._has_told else self._untold_bytes + len(data)
        if self._untold_bytes > HEAD_BYTES_MAX:
            self._is_too_large = True
            self.send_400_response("")

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio asks for it
        """The client says no more. If it said all of a request it gets the answer, and then the end."""
        cycle: Any = self.cycle  # none before the first
        if self._in_body or cycle is None or cycle.response_complete:
            return False  # asyncio closes
        self._end_behind(cycle)
        return True

    def pause_writing(self) -> None:
        """The client does not read: for a while."""
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        """It does."""
        self._unread.forget()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._has_begun = self._has_told = True
        self._idle_since = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, but for spaces behind a value, which are no part of it (RFC 9110, 5.5)."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value.rstrip(b" \t")))

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._has_told = True
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The head is whole: the request begins, or waits behind the one before it.

        Raises:
            HeadTooLargeError, TooManyRequestsError: the parser ends with it.
        """
        self._stop_waiting()
        self._has_begun, self._has_told = False, True
        self._idle_since = None  # its first bytes may have come before the answer to the one before it
        headers, self.headers = self.headers, _NOWHERE
        if self._may_be_too_large and _bytes_of(self.url, headers) > HEAD_BYTES_MAX:
            self._is_too_large = True
            raise HeadTooLargeError
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != _CONNECT:
            kept = [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
            line = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
            self._passed_over = b"".join([line, *kept, b"\r\n"])
        else:
            self._begin(method.decode("ascii"), self.parser.get_http_version())

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._has_told = True
        if not self._passed_over:
            self._in_body = False
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written: the next request begins, or is awaited for a while."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._unread.watch()
            return
        following = self.pipeline.pop() if self.pipeline else None
        self.flow.resume_reading()
        if following is not None:
            self._start_asgi_task(*following)
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_when_idle(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """One timer for all the requests of a connection: uvicorn would start one behind each answer."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None or self.transport.is_closing():
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._close_when_idle(left)
        else:
            self.transport.close()
            self._unread.watch()

    def send_400_response(self, msg: str) -> None:
        """What came cannot be understood, or not be borne: the connection ends, with a word if possible."""
        cycle: Any = self.cycle  # none before the first
        if not self._in_body and cycle is not None and not cycle.response_complete:
            self._end_behind(cycle)
        elif self._in_body and cycle is not None and (self.pipeline or cycle.response_started):
            self.transport.close()  # an answer in the middle of another, or in place of another, says nothing
        elif self._is_too_large:
            self._answer(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "the headers are too long"
            )
        else:
            self._answer(HTTPStatus.BAD_REQUEST, "invalid-request", msg)

    def _end_behind(self, cycle: Any) -> None:
        """Nothing behind this request is looked at. Answers that are owed are given, the last one closes."""
        self._is_deaf = True
        self._stop_waiting()
        self._has_begun = False
        cycle.keep_alive = False

    def _begin(self, method: str, http_version: str) -> None:
        if len(self.pipeline) == REQUESTS_WAITING_MAX:
            raise TooManyRequestsError
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self._in_body = True
        scope = self.scope
        scope["method"], scope["http_version"] = method, http_version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"], scope["query_string"] = url.path, url.query or b""
        before: Any = self.cycle  # none before the first, whatever uvicorn's types say
        self.cycle = Exchange(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and http_version != "1.0",  # RFC 9110, 10.1.1
            keep_alive=http_version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self._application)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self._application))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.tasks.add(self.loop.create_task(self._run(cycle, app)))

    async def _run(self, cycle: RequestResponseCycle, app: Any) -> None:
        try:
            await cycle.run_asgi(app)
        finally:
            task: Any = asyncio.current_task(self.loop)
            self.tasks.discard(task)

    def _close_when_idle(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.send_400_response("this is no HTTP request")
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade(data[upgrade.args[0] :])
                continue
            return

    def _without_upgrade(self, behind: bytes) -> bytes:
        """What to parse instead: the head without what asks for an upgrade, and what came behind it."""
        head, self._passed_over = self._passed_over, b""
        if not head:  # a tunnel was asked for: what is behind is meant for nobody here
            self.cycle.keep_alive = False
            return b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return head + behind

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS_MAX, self._give_up_on_head)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up_on_head(self) -> None:
        self._deadline = None
        if self.flow.read_paused:
            self._await_head()  # it is we who do not read it
            return
        cycle: Any = self.cycle  # none before the first
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the answer that is still owed goes first, and closes
        elif self._has_begun:
            self._answer(HTTPStatus.REQUEST_TIMEOUT, "head-incomplete", "the headers did not arrive in time")
        else:
            self.transport.close()

    def _answer(self, status: HTTPStatus, kind: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        body = msgspec.json.encode(problem_body(status, kind, detail))
        head = f"content-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()


class ReadEndingProtocol(BoundedHttpProtocol):
    """Closes the connection of a client that closes its own direction while a read is at work.

    Of a client that leaves, that is all there is to see until something is written to it.
    """

    def eof_received(self) -> bool:
        """End a read, and the connection with it."""
        cycle: Any = self.cycle  # none before the first
        if cycle is not None and not cycle.response_complete and cycle.scope["method"] in READ_METHODS:
            return False  # asyncio closes
        return super().eof_received()


def _bytes_of(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum([len(name) + len(value) for name, value in headers])
