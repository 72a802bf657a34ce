"""Rules for all requests and answers of a service's own routes, outside of the framework (ALL-9)."""

import asyncio
from http import HTTPStatus
from typing import Any

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.host_and_origin import refusal_of
from chassis.http.problems import send_problem
from chassis.process.hosts import AllowedHosts

BODY_SECONDS_MAX = 20.0
"""For the whole body of a request to a route. Webhooks have GATEWAY_BODY_SECONDS_MAX."""

_NO_STORE = (b"cache-control", b"no-store")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


class BodyTooSlowError(HTTPException):
    """The body did not arrive in time. Answered 408."""

    status_code = HTTPStatus.REQUEST_TIMEOUT.value


class RequestRules:
    """ASGI middleware: checks host and origin, sets a deadline for the body, adds headers to every answer.

    Args:
        app: the application; receives the requests that are not refused.
        hosts: names under which the service answers.
        body_seconds_max: for the whole body, from the first time the application receives.
    """

    def __init__(
        self, app: ASGIApp, hosts: AllowedHosts, *, body_seconds_max: float = BODY_SECONDS_MAX
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._body_seconds_max = body_seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = refusal_of(scope["method"], scope["path"], scope["headers"], self._hosts)
        if refusal is not None:
            await send_problem(_with_headers(send), refusal.status, refusal.kind, refusal.detail)
            return
        await self._app(scope, _bounded(receive, self._body_seconds_max), _with_headers(send))


def _bounded(receive: Receive, seconds_max: float) -> Receive:
    deadline: float | None = None
    is_complete = False

    async def bounded_receive() -> Any:
        nonlocal deadline, is_complete
        if is_complete:  # the next message is the disconnect, which has no deadline
            return await receive()
        deadline = deadline or asyncio.get_running_loop().time() + seconds_max
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            is_complete = True
            raise BodyTooSlowError(
                f"the body did not arrive within {seconds_max:g} s; send it again"
            ) from None
        is_complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return bounded_receive


def _with_headers(send: Send) -> Send:
    """Add `nosniff`, and `no-store` unless the answer states its own caching."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[Any] = list(message["headers"])
            added = (
                [_NO_SNIFF]
                if any(name == b"cache-control" for name, _ in headers)
                else [_NO_STORE, _NO_SNIFF]
            )
            message["headers"] = [*headers, *added]
        await send(message)

    return send_with_headers
