"""Cancel a read when its client disconnects (ALL-9)."""

import asyncio
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

# A read has no body. If a client sends one, this many messages are taken ahead of the application.
_BODY_MESSAGES_MAX = 2


class CancelOnDisconnect:
    """ASGI middleware that cancels the application's work for a GET when the client disconnects.

    The cancellation also cancels the query in the database. Other methods run to their end without a client.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        connected = asyncio.timeout(None)
        client = _Client(receive, send, connected)
        try:
            async with connected:
                watching = asyncio.create_task(client.watch())
                try:
                    await self._app(scope, client.receive, client.send)
                finally:
                    watching.cancel()
        except TimeoutError:
            if not connected.expired():
                raise


class _Client:
    """Receive and send of one request. Only `watch` receives from the server; it feeds the application."""

    def __init__(self, receive: Receive, send: Send, connected: asyncio.Timeout) -> None:
        self._receive, self._send, self._connected = receive, send, connected
        self._messages: asyncio.Queue[Any] = asyncio.Queue(maxsize=_BODY_MESSAGES_MAX)
        self._disconnect: Any = None
        self._is_answered = False

    async def watch(self) -> None:
        while self._disconnect is None:
            try:
                message = await self._receive()
            except Exception as error:  # noqa: BLE001 - raised again where the application receives
                await self._messages.put(error)
                return
            if message["type"] == "http.disconnect":
                self._disconnect = message
                if not self._is_answered:  # behind an answer the message only says that the request is over
                    self._connected.reschedule(asyncio.get_running_loop().time())
            await self._messages.put(message)

    async def receive(self) -> Any:
        if self._disconnect is not None and self._messages.empty():
            return self._disconnect
        message = await self._messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._is_answered = True
        await self._send(message)
