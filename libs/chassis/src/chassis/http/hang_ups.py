"""A read ends when its client hangs up: nobody is left to answer (ALL-9)."""

import asyncio
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

READ_METHODS = frozenset({"GET", "HEAD"})
_BODY_MESSAGES_MAX = 2
"""A read has no body; of one that has, so much is taken before the application asks for it."""


class EndingWithClient:
    """Cancels what an application does for a read as soon as the client is gone.

    A cancelled query is cancelled in the database too. Writes go on: nobody has to wait for their effect.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] not in READ_METHODS:
            await self._app(scope, receive, send)
            return
        presence = asyncio.timeout(None)
        client = _Client(receive, send, presence)
        try:
            async with presence:
                watching = asyncio.create_task(client.watch())
                try:
                    await self._app(scope, client.receive, client.send)
                finally:
                    watching.cancel()
        except TimeoutError:
            if not presence.expired():
                raise


class _Client:
    """The client's side of one request. Only `watch` listens to the server; the application listens to it."""

    def __init__(self, receive: Receive, send: Send, presence: asyncio.Timeout) -> None:
        self._receive, self._send, self._presence = receive, send, presence
        self._messages: asyncio.Queue[Any] = asyncio.Queue(maxsize=_BODY_MESSAGES_MAX)
        self._gone: Any = None
        self._is_answered = False

    async def watch(self) -> None:
        while self._gone is None:
            try:
                message = await self._receive()
            except Exception as error:  # noqa: BLE001 - it is the application's, where that listens
                await self._messages.put(error)
                return
            if message["type"] == "http.disconnect":
                self._gone = message
                if not self._is_answered:  # else the server only says that the exchange is over
                    self._presence.reschedule(asyncio.get_running_loop().time())
            await self._messages.put(message)

    async def receive(self) -> Any:
        if self._gone is not None and self._messages.empty():
            return self._gone
        message = await self._messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._is_answered = True
        await self._send(message)
