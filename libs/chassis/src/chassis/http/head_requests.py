"""Answer HEAD as GET without the body (RFC 9110 §9.3.2). Monitors and `curl -I` ask so."""

from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware that lets an application answer HEAD wherever it answers GET.

    Args:
        app: the application; it sees a GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            is_question = scope["type"] == "http" and scope["method"] == "OPTIONS"
            await self._app(scope, receive, _naming_head(send) if is_question else send)
            return
        # A copy: the server knows by the original that the announced length has no body.
        asked: Any = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, _without_body(send))
        finally:
            outer: Any = scope
            outer["path_template"] = asked.get("path_template")  # for the log


def allow_with_head(allowed: str) -> str:
    """Return the methods of an `Allow` header in alphabetical order, with HEAD where GET is."""
    methods = set(allowed.split(", "))
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _naming_head(send: Send) -> Send:
    async def send_allowed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, allow_with_head(value.decode("latin-1")).encode("latin-1"))
                if name.lower() == b"allow"
                else (name, value)
                for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return send_allowed


def _without_body(send: Send) -> Send:
    """End the answer at its first piece of body. The server then tells a stream that nobody listens."""
    is_over = False

    async def send_head(message: Message) -> None:
        nonlocal is_over
        if message["type"] != "http.response.body":
            await send(message)
        elif not is_over:
            is_over = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
