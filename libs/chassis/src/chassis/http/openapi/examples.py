"""The example of each request body in the OpenAPI document: `EXAMPLE` of its model. A test sends each one."""

from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Operation
from litestar.openapi.spec import RequestBody as BodyDescription
from litestar.routes import HTTPRoute

from chassis.http.json_bodies import RequestBody


def describe_examples(app: Litestar) -> None:
    """Add to each route's body the example of the body's model."""
    paths = app.openapi_schema.paths or {}
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or (item := paths.get(route.path_format)) is None:
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                _describe(getattr(item, method.lower(), None), handler)


def _describe(operation: Operation | None, handler: HTTPRouteHandler) -> None:
    model = _body_model(handler)
    if operation is None or model is None or not isinstance(operation.request_body, BodyDescription):
        return
    for media_type in operation.request_body.content.values():
        media_type.example = model.EXAMPLE


def _body_model(handler: HTTPRouteHandler) -> type[RequestBody] | None:
    data = handler.parsed_fn_signature.parameters.get("data")
    candidates: list[Any] = [] if data is None else [data, *data.inner_types]
    for candidate in candidates:
        if candidate.is_subclass_of(RequestBody):
            return candidate.annotation
    return None
