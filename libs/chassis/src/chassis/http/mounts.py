"""ASGI applications mounted at a path in front of the framework.

The framework's routing and handler wrapping cost a webhook as much as its signature, JSON and identity
together.
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
    """Routes requests to mounted applications, the rest to one application.

    Args:
        app: gets every request outside of `mounts`.
        mounts: path → application for this path and all paths below it. The path is the `path_template` of
            its scope.
    """

    def __init__(self, app: ASGIApp, mounts: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._mounts = tuple((path, f"{path}/", mounted) for path, mounted in mounts.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. An error of a mounted application is answered as a problem (500)."""
        request = cast("dict[str, Any]", scope)
        path: str = request["path"] if request["type"] == "http" else ""
        if "//" in path:  # a base URL and a path, joined with a slash too many
            path = request["path"] = _SLASHES.sub("/", path)
        for mount, below, mounted in self._mounts:
            if path.startswith(below) or path == mount:
                request["path_template"] = mount
                try:
                    await mounted(scope, receive, send)
                except Exception as error:  # noqa: BLE001 - as the framework does for its own routes
                    _log.error("request failed", route=mount, error=loggable(error), exc_info=error)
                    await send_problem(send, HTTPStatus.INTERNAL_SERVER_ERROR, *FAILED)
                return
        await self._app(scope, receive, send)
