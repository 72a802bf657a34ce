"""Observation of HTTP requests: trace context, server span, metrics, one log line per request (ALL-5).

Wraps the application as bare ASGI, because the gateway's endpoint is bare ASGI too. A request is labelled by
the route's template only: a caller controls the content of paths, queries, headers and bodies.
"""

import logging
import time
from collections.abc import Collection
from functools import cache
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry.trace import Span, SpanKind

from chassis.observability import spans, trace_context
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics

UNMATCHED = "unmatched"  # the route of a request without a route

OTHER_METHOD = "other"
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})
STATUS_ABORTED = 499  # no answer: the client had disconnected, or the process was stopping
_SERVER_ERROR = 500
# Called several times a second by machines: no span, and a line at DEBUG only.
_PROBES = frozenset({"/health/live", "/health/ready", "/metrics"})

_TRACEPARENT = trace_context.HEADER.encode()

_log = get_logger(__name__)
_level = logging.getLogger(__name__)


class ObservedApp:
    """Records metrics, spans and log lines of an application's requests.

    Args:
        app: the application.
        metrics: `http_requests_total` and `http_request_seconds`.
        quiet_routes: templates whose requests are logged at DEBUG only, because they are frequent and are
            logged elsewhere.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, quiet_routes: Collection[str] = ()) -> None:
        self._app = app
        self._quiet = {*_PROBES, UNMATCHED, *quiet_routes}
        # Finding the series of labels costs a microsecond each time; the label sets are bounded.
        self._requests = cache(metrics.counter("http_requests").labels)
        self._seconds = cache(metrics.seconds("http_request_seconds").labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), STATUS_ABORTED

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        traceparent, span = _trace(scope)
        try:
            with trace_context.Carried(traceparent):
                await self._app(scope, receive, observed_send)
        finally:
            self._record(scope, status, time.monotonic() - began, traceparent, span)

    def _record(self, scope: Any, status: int, seconds: float, traceparent: str, span: Span | None) -> None:
        route = route_of(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        self._requests(method, route, str(status)).inc()
        self._seconds(route).observe(seconds)
        if span is not None:
            _end(span, method, route, status)
        level = self._severity(route, status)
        if _level.isEnabledFor(level):
            _log.log(
                level,
                "request handled",
                method=method,
                route=route,
                status=status,
                handling_ms=round(seconds * 1000, 3),
                trace_id=trace_context.trace_id(traceparent),
            )

    def _severity(self, route: str, status: int) -> int:
        if route in self._quiet:
            return logging.DEBUG
        return logging.WARNING if status >= _SERVER_ERROR else logging.INFO


def route_of(scope: Any) -> str:
    """Return the template of the request's route, or UNMATCHED."""
    return scope.get("path_template") or UNMATCHED


def _trace(scope: Any) -> tuple[str, Span | None]:
    """Return the `traceparent` (the caller's, or a new one), and a span if spans are exported."""
    parent = trace_context.read([value for name, value in scope["headers"] if name == _TRACEPARENT])
    if not spans.is_on() or scope["path"] in _PROBES:
        return parent or trace_context.new(), None
    span = spans.start("HTTP", SpanKind.SERVER, parent, {"url.scheme": scope["scheme"]})
    return spans.traceparent_of(span), span


def _end(span: Span, method: str, route: str, status: int) -> None:
    span.update_name(method if route == UNMATCHED else f"{method} {route}")
    span.set_attribute("http.request.method", "_OTHER" if method == OTHER_METHOD else method)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVER_ERROR:
        spans.fail(span, str(status))
    span.end()
