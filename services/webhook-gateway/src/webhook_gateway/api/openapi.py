"""The webhook route in the OpenAPI document: written by hand, because a bare ASGI route describes nothing."""

from http import HTTPStatus

from litestar import Litestar
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    PathItem,
    RequestBody,
    Schema,
)

from chassis.http import PROBLEM_JSON
from contracts.reasons import RefusalReason
from webhook_gateway.api.webhooks import MOUNTS

_RECEIVED = Schema(
    type=OpenAPIType.OBJECT,
    required=["received"],
    properties={"received": Schema(type=OpenAPIType.BOOLEAN, const=True)},
)
_PROBLEM = Schema(
    type=OpenAPIType.OBJECT,
    required=["type", "title", "status", "detail", "reason"],
    properties={
        "type": Schema(type=OpenAPIType.STRING),
        "title": Schema(type=OpenAPIType.STRING),
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": Schema(type=OpenAPIType.STRING),
        "reason": Schema(type=OpenAPIType.STRING, enum=[reason.value for reason in RefusalReason]),
    },
)
_REFUSALS = {
    HTTPStatus.BAD_REQUEST: "Not JSON, no event id, or (validation off) not signed by the source",
    HTTPStatus.UNAUTHORIZED: "Validation on: not signed by the source, or outside the time window",
    HTTPStatus.NOT_FOUND: "No such source",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not POST",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Content-Encoding other than identity",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Our own signing secret is not configured",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not stored: broker away, or too many deliveries; see Retry-After",
}


def describe_webhooks(app: Litestar) -> None:
    """Add the webhook route to the application's OpenAPI document, under both of its paths."""
    document = app.openapi_schema
    described = {
        f"{mount}/{{source}}": PathItem(post=_operation(f"ReceiveWebhook{number or ''}"))
        for number, mount in enumerate(MOUNTS)
    }
    document.paths = {**(document.paths or {}), **described}


def _operation(operation_id: str) -> Operation:
    received = OpenAPIResponse(
        description="The broker has acknowledged the record",
        content={"application/json": OpenAPIMediaType(schema=_RECEIVED)},
    )
    refusals = {
        str(status.value): OpenAPIResponse(
            description=meaning, content={PROBLEM_JSON: OpenAPIMediaType(schema=_PROBLEM)}
        )
        for status, meaning in _REFUSALS.items()
    }
    return Operation(
        tags=["webhooks"],
        operation_id=operation_id,
        summary="Deliver a webhook",
        description="The body is taken exactly as sent; 200 means that it is stored.",
        parameters=[
            Parameter(name="source", param_in="path", required=True, schema=Schema(type=OpenAPIType.STRING))
        ],
        request_body=RequestBody(
            content={"application/json": OpenAPIMediaType(schema=Schema())}, required=True
        ),
        responses={"200": received, **refusals},
    )
