"""Errors in the OpenAPI document: problem+json with a closed list of types for each route and status.

Errors of every route are added here. A route declares further ones with `opt=refuses(...)`.
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

from chassis.http.arguments import arguments_of
from chassis.http.entity_tags import TAGGED_PATHS
from chassis.http.problems import PROBLEM_JSON, PROBLEM_TYPE_PREFIX

# Status → kinds, the last parts of the problems' `type`.
Kinds = Mapping[int, Sequence[str]]

_OPTION = "problems"
# Tag of the routes for operators, whose errors are no problems.
_OPERATIONS = "operations"

_EVERYWHERE: Kinds = {421: ["host-not-served"], 500: ["internal-error"], 503: ["temporarily-unavailable"]}
_WRITES: Kinds = {403: ["cross-site-request"]}
# Of a route that answers with one stored row.
STORED_ROW: Kinds = {500: ["internal-error", "stored-row-unreadable"]}
_UNREADABLE: Kinds = {400: ["invalid-request"]}
_WITH_BODY: Kinds = {
    400: ["invalid-request"],
    408: ["body-incomplete"],
    413: ["body-too-large"],
    415: ["unsupported-media-type"],
}
_WITH_IDEMPOTENCY_KEY: Kinds = {
    400: ["malformed-idempotency-key"],
    409: ["idempotency-key-in-use"],
    410: ["answer-erased"],
    422: ["idempotency-key-reused"],
}
_WITH_IF_MATCH: Kinds = {
    400: ["malformed-if-match"],
    412: ["stale-version"],
    428: ["precondition-required"],
}
_WITH_ENTITY_TAG: Kinds = {400: ["malformed-if-none-match"]}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_TEXT = Schema(type=OpenAPIType.STRING)
_MEANINGS = {
    400: "The request is invalid",
    401: "The caller is not authenticated: `detail` says why",
    403: "The caller has no role for this route, or the request comes from a page of another site",
    404: "Not found",
    408: "The body did not arrive in time",
    409: "The current state does not allow this; or a request with this key is running (Retry-After)",
    410: "Erased: what is asked for, or the answer of a request that was carried out",
    412: "Changed meanwhile: read it again",
    413: "The body is too large",
    415: "The body is not uncompressed JSON",
    422: "The key was used for another request",
    421: "The service does not answer under this Host (HTTP_HOSTS)",
    428: "REQUIRE_IF_MATCH is on: send the ETag that you have read in If-Match",
    429: "Too many requests at once: try again after Retry-After",
    500: "The service failed",
    503: "Temporarily unavailable: try again after Retry-After",
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
# Dependency of a route → problems that it adds.
_DEPENDENCIES: Mapping[str, Kinds] = {"idempotency": _WITH_IDEMPOTENCY_KEY, "if_match": _WITH_IF_MATCH}
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
    """Return the `opt` of a route: its own problems. For a status given here, list all kinds."""
    return {_OPTION: kinds}


def problem_response(status: int, kinds: Sequence[str]) -> OpenAPIResponse:
    """Return the documentation of a problem. It refers to the schema that `describe_problems` adds."""
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
    """Replace the framework's description of errors by the problems of the exception handlers.

    Args:
        app: its document is changed.
        guarded: further problems of routes with a security requirement.
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
                    is_tagged = method == "GET" and route.path_format.startswith(TAGGED_PATHS)
                    further: list[Kinds] = []
                    if operation.security:
                        further.append(guarded)
                    if is_tagged:
                        further.append(_WITH_ENTITY_TAG)
                    _describe(operation, handler, further)


def _describe(operation: Operation, handler: HTTPRouteHandler, further: Sequence[Kinds]) -> None:
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
    request: Kinds = _WITH_BODY if operation.request_body else _UNREADABLE
    own: Kinds = handler.opt.get(_OPTION, {})
    kinds_by_status = {**_EVERYWHERE, **request, **own}
    writes: Kinds = {} if handler.http_methods <= _READING else _WRITES
    arguments = arguments_of(handler)
    added = [writes, *further, *(kinds for name, kinds in _DEPENDENCIES.items() if name in arguments)]
    for status in sorted({*kinds_by_status, *(status for kinds in added for status in kinds)}):
        kinds = [*kinds_by_status.get(status, ()), *(kind for each in added for kind in each.get(status, ()))]
        responses[str(status)] = problem_response(status, kinds)
