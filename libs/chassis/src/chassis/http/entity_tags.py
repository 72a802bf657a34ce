"""ETag and 304 for every JSON answer to a GET under `/api/` (RFC 9110 §13.1.2)."""

from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.conditional_requests import entity_tag, parse_tags
from chassis.http.host_and_origin import header_values
from chassis.http.problems import Problem, send_problem

TAGGED_PATHS = "/api/"

_OK = 200
_JSON = b"application/json"
_NAME = "If-None-Match"
# A 304 has no body, and the client keeps its own representation.
_OF_A_BODY = frozenset({b"content-type", b"content-length"})


class EntityTags:
    """ASGI middleware: adds an ETag unless the route has set one, and answers 304 if the client knows it.

    Streams and other media types pass unchanged.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(TAGGED_PATHS):
            await self._app(scope, receive, send)
            return
        values = header_values(list(scope["headers"]), _NAME.lower().encode())
        try:
            known = parse_tags(_NAME, ", ".join(values)) if values else []
        except Problem as error:
            await send_problem(send, error.status_code, error.kind, error.detail)
            return
        await self._app(scope, receive, _Answer(send, known).send)


class _Answer:
    """An answer whose start waits for its body."""

    def __init__(self, send: Send, known: list[tuple[bool, str]] | None) -> None:
        self._send = send
        self._known = known
        self._start: Any = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_taggable(message):
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None and message["type"] == "http.response.body" and not message.get("more_body"):
            await self._send_tagged(start, message)
            return
        if start is not None:
            await self._send(start)
        await self._send(message)

    async def _send_tagged(self, start: Any, message: Any) -> None:
        headers: list[tuple[bytes, bytes]] = list(start["headers"])
        tag = next((value.decode("latin-1") for name, value in headers if name.lower() == b"etag"), None)
        if tag is None:
            tag = entity_tag(message["body"])
            headers.append((b"etag", tag.encode()))
        # The comparison is weak (§13.1.2): W/ before a tag does not matter.
        if self._known is None or any(listed == tag for _, listed in self._known):
            kept = [(name, value) for name, value in headers if name.lower() not in _OF_A_BODY]
            start, message = {**start, "status": 304, "headers": kept}, {**message, "body": b""}
        else:
            start = {**start, "headers": headers}
        await self._send(start)
        await self._send(message)


def _is_taggable(start: Any) -> bool:
    types = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] == _OK and len(types) == 1 and types[0].partition(b";")[0].strip() == _JSON
