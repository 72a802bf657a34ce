"""Errors in the OpenAPI document, as they are really answered: problem+json with a type from a list.

What every route can answer is added here; what is a route's own it states itself, with `opt=refuses(...)`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)
from litestar.routes import HTTPRoute

from chassis.http.problems import PROBLEM_JSON, PROBLEM_TYPE_PREFIX

Kinds = Mapping[int, Sequence[str]]
"""Status → the last parts of the `type`s that it may carry."""

_OPTION = "problems"
_OPERATIONS = "operations"
"""Tag of the routes for those who run the service: their errors are their answers."""

_EVERYWHERE: Kinds = {421: ["host-not-served"], 500: ["internal-error"], 503: ["temporarily-unavailable"]}
_WRITES: Kinds = {403: ["cross-site-request"]}
STORED_ROW: Kinds = {500: ["internal-error", "stored-row-unreadable"]}
"""Of a route that answers with one stored row."""
_UNREADABLE: Kinds = {400: ["invalid-request"]}
_WITH_BODY: Kinds = {
    400: ["invalid-request"],
    408: ["body-incomplete"],
    413: ["body-too-large"],
    415: ["unsupported-media-type"],
}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_TEXT = Schema(type=OpenAPIType.STRING)
_MEANINGS = {
    400: "The request is not what this route takes",
    401: "It is not known who asks: `detail` says why",
    403: "No role of the caller opens this route, or a page of another site asks",
    404: "There is no such thing",
    408: "The body did not arrive in time",
    409: "It stands in a state that does not allow this",
    412: "Somebody else was faster: read it again",
    413: "The body is too large",
    415: "The body is encoded in a way that this route does not take",
    421: "The service does not answer under this Host (HTTP_HOSTS)",
    429: "Too many at once: try again after Retry-After",
    500: "The service failed",
    503: "Not now: try again after Retry-After",
}
_CHALLENGE = {"WWW-Authenticate": OpenAPIHeader(schema=_TEXT, required=True, description="RFC 6750 §3")}
_RETRY = {
    "Retry-After": OpenAPIHeader(
        schema=Schema(type=OpenAPIType.INTEGER), required=True, description="seconds"
    )
}
_HEADERS: Mapping[int, Mapping[str, OpenAPIHeader]] = {
    401: _CHALLENGE,
    403: {
        "WWW-Authenticate": OpenAPIHeader(schema=_TEXT, description="RFC 6750 §3; where a role is missing")
    },
    429: _RETRY,
    503: _RETRY,
}
_PROBLEM = Schema(
    type=OpenAPIType.OBJECT,
    title="Problem",
    description="RFC 9457. `type` is stable; further members depend on it.",
    required=["type", "title", "status", "detail"],
    properties={
        "type": _TEXT,
        "title": _TEXT,
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": Schema(type=OpenAPIType.STRING, description="one line: what is wrong, what to do"),
        "errors": Schema(type=OpenAPIType.ARRAY, items=Schema(), description="each field that is wrong"),
    },
)


def refuses(kinds: Kinds) -> dict[str, Any]:
    """A route's `opt`: the problems that are its own, and all kinds of a status that it names."""
    return {_OPTION: kinds}


def problem_response(status: int, kinds: Sequence[str]) -> OpenAPIResponse:
    """A documented problem; needs the schema that `describe_problems` adds."""
    types = [PROBLEM_TYPE_PREFIX + kind for kind in sorted(kinds)]
    schema = Schema(
        all_of=[
            Reference("#/components/schemas/Problem"),
            Schema(properties={"type": Schema(type=OpenAPIType.STRING, enum=types)}),
        ]
    )
    return OpenAPIResponse(
        description=_MEANINGS[status],
        content={PROBLEM_JSON: OpenAPIMediaType(schema=schema)},
        headers=dict(_HEADERS.get(status, {})),
    )


def describe_problems(app: Litestar, *, guarded: Kinds) -> None:
    """Replace what the framework supposes about errors by what the exception handlers answer.

    Args:
        app: whose document is changed.
        guarded: what routes with a security requirement answer besides.
    """
    document = app.openapi_schema
    document.components.schemas["Problem"] = _PROBLEM
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format) if isinstance(route, HTTPRoute) else None
        if item is None or not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation: Operation | None = getattr(item, method.lower(), None)
                if operation is not None:
                    _describe(operation, handler, guarded if operation.security else {})


def _describe(operation: Operation, handler: HTTPRouteHandler, guarded: Kinds) -> None:
    data = handler.parsed_fn_signature.parameters.get("data")
    if isinstance(operation.request_body, RequestBody) and data is not None and data.has_default:
        operation.request_body.required = False  # the framework calls every body required
    responses = operation.responses = dict(operation.responses or {})
    for response in responses.values():
        for header in (response.headers or {}).values() if isinstance(response, OpenAPIResponse) else ():
            if isinstance(header, OpenAPIHeader):
                header.schema = header.schema or _TEXT  # one for the document only has been given none
    if _OPERATIONS in (operation.tags or []):
        return
    asked: Kinds = _WITH_BODY if operation.request_body else _UNREADABLE
    own: Kinds = handler.opt.get(_OPTION, {})
    named = {**_EVERYWHERE, **asked, **own}
    everybody: Kinds = {} if handler.http_methods <= _READING else _WRITES
    for status in sorted({*named, *everybody, *guarded}):
        kinds = [*named.get(status, ()), *everybody.get(status, ()), *guarded.get(status, ())]
        responses[str(status)] = problem_response(status, kinds)
