"""A second listening socket for metrics, details of readiness and OpenAPI, which the public port hides.

Both sockets belong to one server of one process. The port that a request arrived at decides; a client cannot
choose the port in any other way than by connecting there.
"""

import socket
from http import HTTPStatus
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from chassis.http.problems import PROBLEM_JSON, problem_body
from chassis.process.health import Health

_LIVE, _READY = "/health/live", "/health/ready"
_BACKLOG = 2048  # the default of uvicorn
_NOT_HERE = msgspec.json.encode(
    problem_body(HTTPStatus.NOT_FOUND, "not-found", "nothing answers at this path on the public port")
)


class PublicPort:
    """Hides an application on the public port, except for liveness and the result of readiness.

    Args:
        app: answers every request to the internal port.
        health: readiness; the public port answers the result without details.
        internal_port: number of the port that hides nothing.
    """

    def __init__(self, app: ASGIApp, health: Health, internal_port: int) -> None:
        self._app = app
        self._health = health
        self._internal_port = internal_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("dict[str, Any]", scope)
        is_internal = request["type"] != "http" or _port(request) == self._internal_port
        if is_internal or request["path"] == _LIVE:
            await self._app(scope, receive, send)
        elif request["path"] == _READY and request["method"] == "GET":
            is_ready, report = await self._health.report()
            status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            body = msgspec.json.encode({"status": report["status"]})
            await _answer(send, status, "application/json", body)
        else:
            await _answer(send, HTTPStatus.NOT_FOUND, PROBLEM_JSON, _NOT_HERE)


def _port(scope: dict[str, Any]) -> int | None:
    return scope["server"][1] if scope.get("server") else None


async def _answer(send: Send, status: HTTPStatus, media_type: str, body: bytes) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: the address is not of this machine, or is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)
