"""The HTTP application of a service: problem+json, health, metrics, OpenAPI (ALL-6)."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Response, get
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components
from litestar.types import ASGIApp, ControllerRouterHandler

from chassis.auth.guard import Guard, provide_actor
from chassis.http.conditional_requests import if_match_provider
from chassis.http.disconnects import CancelOnDisconnect
from chassis.http.entity_tags import EntityTags
from chassis.http.error_responses import EXCEPTION_HANDLERS, REQUEST_BYTES_MAX
from chassis.http.head_requests import HeadAsGet
from chassis.http.idempotency.requests import provide_idempotency
from chassis.http.internal_port import PublicPort
from chassis.http.json_bodies import JsonRequest, require_json
from chassis.http.mounts import Mounts
from chassis.http.openapi.access import COMPONENTS, REFUSALS, describe_access
from chassis.http.openapi.conditional import describe_entity_tags
from chassis.http.openapi.examples import describe_examples
from chassis.http.openapi.pages import SchemaPages
from chassis.http.openapi.problems import describe_problems
from chassis.http.query_check import QueryCheck
from chassis.http.read_deadline import ReadDeadline
from chassis.http.request_log import ObservedApp
from chassis.http.request_rules import RequestRules
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


def _of_the_caller(*, require_if_match: bool) -> dict[str, Provide]:
    return {
        "actor": Provide(provide_actor),
        "idempotency": Provide(provide_idempotency),
        "if_match": Provide(if_match_provider(required=require_if_match)),
    }


def _complete_document(app: Litestar, guard: Guard | None) -> None:
    if guard is not None:
        describe_access(app, guard.access)
    describe_problems(app, guarded=REFUSALS)
    describe_entity_tags(app)
    describe_examples(app)


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
    require_if_match: bool = False,
) -> Litestar:
    """Return a service's HTTP application: its routes, and health, metrics and schema.

    Args:
        title: of the OpenAPI document at `/schema`.
        handlers: the routes of the service.
        health: served at `/health/ready`.
        metrics: served at `/metrics`.
        guard: authenticates the caller of every route; None for routes that need no caller (then no `actor`).
        dependencies: by parameter name; `actor`, `idempotency` and `if_match` are added.
        lifespan: context managers that live as long as the application.
        mounts: bare ASGI applications by path, outside of the framework.
        hosts: names under which the routes answer; `mounts` answer under every name.
        quiet_routes: templates of routes whose requests are logged at DEBUG only.
        internal_port: if set, other ports answer only `mounts`, liveness and the result of readiness.
        require_if_match: routes with the dependency `if_match` refuse a request without the header (428).
    """
    check = QueryCheck()
    app = Litestar(
        route_handlers=[*_operations(health, metrics), *handlers],
        dependencies={**_of_the_caller(require_if_match=require_if_match), **(dependencies or {})},
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
    _complete_document(app, guard)
    # Outermost, so that requests without a route are observed too.
    own: ASGIApp = EntityTags(CancelOnDisconnect(ReadDeadline(app.asgi_handler)))
    if internal_port is not None:
        own = PublicPort(own, health, internal_port)
    routed = Mounts(RequestRules(HeadAsGet(own), hosts), mounts or {})
    app.asgi_handler = ObservedApp(routed, metrics, quiet_routes=quiet_routes)
    return app
