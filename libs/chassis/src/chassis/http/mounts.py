"""Hand-written ASGI applications under a path of their own, in front of the framework's routing.

Finding a route, and what is wrapped around a handler, would cost a webhook as much as its signature, its JSON
and its identity together. Everything else goes the ordinary way.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from litestar.types import ASGIApp, Receive, Scope, Send

from chassis.http.problems import FAILED, send_problem
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable

_log = get_logger(__name__)

_SLASHES = re.compile("//+")


class Mounts:
    """An application with others beside it.

    Args:
        app: gets every request that is nobody else's.
        mounts: path → application that gets this path and all below it; `path_template` of its scope is the
            path.
    """

    def __init__(self, app: ASGIApp, mounts: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._mounts = tuple((path, f"{path}/", mounted) for path, mounted in mounts.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; an error of a mounted application is answered 500, as a problem."""
        told = cast("dict[str, Any]", scope)
        path: str = told["path"] if told["type"] == "http" else ""
        if "//" in path:  # a base URL and a path, joined with a slash too many
            path = told["path"] = _SLASHES.sub("/", path)
        for mount, below, mounted in self._mounts:
            if path.startswith(below) or path == mount:
                told["path_template"] = mount
                try:
                    await mounted(scope, receive, send)
                except Exception as error:  # noqa: BLE001 - as the framework does for its own routes
                    _log.error("request failed", route=mount, error=loggable(error), exc_info=error)
                    await send_problem(send, HTTPStatus.INTERNAL_SERVER_ERROR, *FAILED)
                return
        await self._app(scope, receive, send)
