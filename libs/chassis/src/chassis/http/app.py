"""HTTP as every service speaks it: problem+json, health, metrics, OpenAPI (ALL-6)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components
from litestar.types import ASGIApp, ControllerRouterHandler

from chassis.auth.guard import AccessRefusedError, Guard, provide_actor
from chassis.http.hang_ups import EndingWithClient
from chassis.http.internal_port import PublicPort
from chassis.http.invalid_requests import invalid_fields
from chassis.http.mounts import Mounts
from chassis.http.openapi.access import COMPONENTS, REFUSALS, describe_access
from chassis.http.openapi.pages import SchemaPages
from chassis.http.openapi.problems import describe_problems
from chassis.http.problems import FAILED, PROBLEM_JSON, RETRY_AFTER_SECONDS, problem_body
from chassis.http.request_bodies import JsonRequest
from chassis.http.request_checks import QueryCheck
from chassis.http.request_log import ObservedApp, route_of
from chassis.http.request_rules import RequestRules
from chassis.http.web_requests import is_compressed, is_json_if_any
from chassis.kafka.errors import BrokerUnavailableError
from chassis.observability.logs import get_logger
from chassis.observability.metrics import CONTENT_TYPE, Metrics
from chassis.observability.redaction import loggable
from chassis.postgres.database import is_transient
from chassis.postgres.read_pool import (
    READ_TOO_LONG,
    TOO_MANY_READS,
    ReadTooLongError,
    TooManyReadsError,
)
from chassis.postgres.stored_rows import UnreadableRowError
from chassis.process.health import Health
from chassis.process.hosts import LOOPBACK_ONLY, AllowedHosts

_log = get_logger(__name__)

REQUEST_BYTES_MAX = 1024 * 1024
TOO_LARGE = f"the body is larger than {REQUEST_BYTES_MAX:,} bytes; send less at a time"


class Problem(HTTPException):
    """An answer that says what is wrong (RFC 9457).

    Args:
        status: HTTP status code.
        kind: stable name; the `type` member is `urn:plumbline:problem:<kind>`.
        detail: one line for a person: what is wrong and what to do.
        extra: further members of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail=detail, status_code=status, headers=headers)
        self.kind = kind
        self.members = extra


def _answer(status: int, kind: str, detail: str, members: Any = None, headers: Any = None) -> Response[Any]:
    return Response(
        problem_body(status, kind, detail, members),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def _on_problem(_request: Request[Any, Any, Any], error: Problem) -> Response[Any]:
    return _answer(error.status_code, error.kind, error.detail, error.members, error.headers)


_KINDS = {
    400: "invalid-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "body-incomplete",
    413: "body-too-large",
    415: "unsupported-media-type",
}


def _on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer an error of the framework; of an invalid request all fields, the first one in `detail`."""
    errors = invalid_fields(request, error)
    if errors is not None:
        detail = f"{errors[0]['field']}: {errors[0]['message']}" if errors else error.detail
        return _answer(400, "invalid-request", detail, {"errors": errors} if errors else None)
    kind = _KINDS.get(error.status_code, "error")
    members = {"errors": error.extra} if error.extra else None
    detail = TOO_LARGE if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else error.detail
    return _answer(error.status_code, kind, detail, members, error.headers)


def _on_access_refused(_request: Request[Any, Any, Any], error: AccessRefusedError) -> Response[Any]:
    reason = error.refusal.reason.value
    members = {"reason": reason}
    return _answer(error.status, reason.replace("_", "-"), error.refusal.detail, members, error.headers)


def _on_unreadable_row(_request: Request[Any, Any, Any], error: UnreadableRowError) -> Response[Any]:
    return _answer(500, "stored-row-unreadable", str(error))


def _on_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    if isinstance(error, BrokerUnavailableError) or is_transient(error):
        _log.warning("request could not be served", route=route_of(request.scope), error=loggable(error))
        return _answer(
            503,
            "temporarily-unavailable",
            "a database or broker does not answer; try again",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if isinstance(error, RecursionError | UnicodeDecodeError):  # raised by the decoder of the body alone
        return _answer(400, "invalid-request", "body: not JSON in UTF-8, or nested too deeply")
    _log.error("request failed", route=route_of(request.scope), error=loggable(error), exc_info=error)
    return _answer(500, *FAILED)


def _on_too_many_reads(_request: Request[Any, Any, Any], _error: TooManyReadsError) -> Response[Any]:
    return _answer(
        429,
        TOO_MANY_READS,
        "other long reads are at work; try again in a moment",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _on_read_too_long(_request: Request[Any, Any, Any], error: ReadTooLongError) -> Response[Any]:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _answer(503, READ_TOO_LONG, str(error), headers=headers)


_EXCEPTION_HANDLERS: Any = {
    AccessRefusedError: _on_access_refused,
    TooManyReadsError: _on_too_many_reads,
    ReadTooLongError: _on_read_too_long,
    Problem: _on_problem,
    HTTPException: _on_http_error,
    UnreadableRowError: _on_unreadable_row,
    Exception: _on_error,
}


def _operations(health: Health, metrics: Metrics) -> list[ControllerRouterHandler]:
    @get("/health/live", summary="The process is alive", tags=["operations"])
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @get(
        "/health/ready",
        summary="The service can do its work this moment",
        tags=["operations"],
        responses={503: ResponseSpec(dict[str, Any], generate_examples=False, description="It cannot: why")},
    )
    async def ready() -> Response[Mapping[str, object]]:
        is_ready, report = await health.report()
        return Response(report, status_code=200 if is_ready else 503)

    @get("/metrics", summary="Prometheus metrics", tags=["operations"], media_type="text/plain")
    async def expose() -> Response[bytes]:
        return Response(metrics.expose(), media_type=CONTENT_TYPE)

    return [live, ready, expose]


async def require_json(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Raise a problem (415) for a body that is not stated to be JSON, uncompressed. Guard of every route."""
    headers = list(connection.scope["headers"])
    if is_compressed(headers):
        raise Problem(415, _KINDS[415], "a body is not compressed here: send it without Content-Encoding")
    if not is_json_if_any(headers):
        raise Problem(415, _KINDS[415], "a body is JSON here: send Content-Type: application/json")


def build_app(
    *,
    title: str,
    handlers: Sequence[ControllerRouterHandler],
    health: Health,
    metrics: Metrics,
    guard: Guard | None,
    dependencies: Mapping[str, Provide] | None = None,
    lifespan: Sequence[Any] = (),
    mounts: Mapping[str, ASGIApp] | None = None,
    hosts: AllowedHosts = LOOPBACK_ONLY,
    quiet_routes: Sequence[str] = (),
    internal_port: int | None = None,
) -> Litestar:
    """Return a service's HTTP application: its own routes and those that every service has.

    Args:
        title: of the OpenAPI document at `/schema`.
        handlers: its routes.
        health: served at `/health/ready`.
        metrics: served at `/metrics`.
        guard: in front of every route; None where there is nothing to guard, and then nobody is an `actor`.
        dependencies: by parameter name; `actor` is always there.
        lifespan: context managers that live as long as the application.
        mounts: bare ASGI applications by their path, which the framework never sees.
        hosts: names under which the routes answer; `mounts` answer under every name.
        quiet_routes: templates of routes whose requests are logged at DEBUG only.
        internal_port: the only one that answers more than `mounts` and plain health; None: each does.
    """
    check = QueryCheck()
    app = Litestar(
        route_handlers=[*_operations(health, metrics), *handlers],
        dependencies={"actor": Provide(provide_actor), **(dependencies or {})},
        guards=[require_json, check] if guard is None else [guard, require_json, check],
        exception_handlers=_EXCEPTION_HANDLERS,
        lifespan=list(lifespan),
        openapi_config=OpenAPIConfig(
            title=title,
            version="1",
            path="/schema",
            components=COMPONENTS if guard else Components(),
            render_plugins=[SchemaPages()],
        ),
        request_class=JsonRequest,
        request_max_body_size=REQUEST_BYTES_MAX,
        logging_config=None,  # Litestar's own would replace what chassis.observability.logs set up
        debug=False,
    )
    check.learn(app)
    if guard is not None:
        describe_access(app, guard.access)
    describe_problems(app, guarded=REFUSALS)
    # Around everything, so that requests without a route are seen too.
    own = EndingWithClient(app.asgi_handler)
    if internal_port is not None:
        own = PublicPort(own, health, internal_port)
    routed = Mounts(RequestRules(own, hosts), mounts or {})
    app.asgi_handler = ObservedApp(routed, metrics, quiet_routes=quiet_routes)
    return app
