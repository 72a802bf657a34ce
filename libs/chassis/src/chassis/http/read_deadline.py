"""Answer a read with 503 when its deadline is over, such as while PostgreSQL hangs (ALL-9)."""

import asyncio
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.problems import send_problem
from chassis.http.request_log import route_of
from chassis.observability.logs import get_logger

READ_SECONDS_MAX = 10.0
"""Until an answer begins. A connection is waited for 5 s, and the long reads' statements end after 5 s."""

_PATHS = "/api/"
_DETAIL = "no answer from the database in time; try again"

_log = get_logger(__name__)


class ReadDeadline:
    """ASGI middleware that answers a GET itself when its answer has not begun in time.

    The work is cancelled, and not waited for: closing a transaction on a hanging server takes as long as a
    statement may.

    Args:
        app: the application.
        seconds_max: until its answer begins.
    """

    def __init__(self, app: ASGIApp, *, seconds_max: float = READ_SECONDS_MAX) -> None:
        self._app = app
        self._seconds_max = seconds_max
        self._abandoned: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or _PATHS not in scope["path"]:
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        work = asyncio.create_task(self._work(scope, receive, answer.send))
        try:
            await asyncio.wait({work}, timeout=self._seconds_max)
            if not work.done() and answer.has_begun:
                await asyncio.wait({work})
        except asyncio.CancelledError:  # the client has disconnected
            self._abandon(work)
            raise
        if work.done():
            await work
            return
        answer.is_over = True
        self._abandon(work)
        _log.warning("read took too long", route=route_of(scope), seconds=self._seconds_max)
        await send_problem(send, 503, "temporarily-unavailable", _DETAIL)

    async def _work(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _abandon(self, work: "asyncio.Task[None]") -> None:
        self._abandoned.add(work)  # the loop holds tasks weakly
        work.add_done_callback(self._forget)
        work.cancel()

    def _forget(self, work: "asyncio.Task[None]") -> None:
        self._abandoned.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            _log.debug("an abandoned read failed", error=type(error).__name__)


class _Answer:
    """Sends an answer, until somebody else has answered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False
        self.is_over = False

    async def send(self, message: Message) -> None:
        if not self.is_over:
            self.has_begun = True
            await self._send(message)
