"""HTTP as every service speaks it: problem+json, health, metrics, OpenAPI (ALL-6)."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Response, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components
from litestar.types import ASGIApp, ControllerRouterHandler

from chassis.auth.guard import Guard, provide_actor
from chassis.http.error_responses import EXCEPTION_HANDLERS, REQUEST_BYTES_MAX, UNSUPPORTED_MEDIA_TYPE
from chassis.http.hang_ups import EndingWithClient
from chassis.http.internal_port import PublicPort
from chassis.http.mounts import Mounts
from chassis.http.openapi.access import COMPONENTS, REFUSALS, describe_access
from chassis.http.openapi.pages import SchemaPages
from chassis.http.openapi.problems import describe_problems
from chassis.http.problems import Problem
from chassis.http.request_bodies import JsonRequest
from chassis.http.request_checks import QueryCheck
from chassis.http.request_log import ObservedApp
from chassis.http.request_rules import RequestRules
from chassis.http.web_requests import is_compressed, is_json_if_any
from chassis.observability.metrics import CONTENT_TYPE, Metrics
from chassis.process.health import Health
from chassis.process.hosts import LOOPBACK_ONLY, AllowedHosts


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
        raise Problem(
            415, UNSUPPORTED_MEDIA_TYPE, "a body is not compressed here: send it without Content-Encoding"
        )
    if not is_json_if_any(headers):
        raise Problem(415, UNSUPPORTED_MEDIA_TYPE, "a body is JSON here: send Content-Type: application/json")


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
        exception_handlers=EXCEPTION_HANDLERS,
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
