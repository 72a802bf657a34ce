"""The webhook route in the OpenAPI document: written by hand, because a bare ASGI route describes nothing."""

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

from chassis.openapi.problems import problem_response
from contracts.reasons import RefusalReason
from webhook_gateway.api.answers import kind_of
from webhook_gateway.api.webhooks import MOUNTS
from webhook_gateway.domain.policy import refuse

_RECEIVED = Schema(
    type=OpenAPIType.OBJECT,
    required=["received"],
    properties={"received": Schema(type=OpenAPIType.BOOLEAN, const=True)},
)
_BUG = "internal-error"


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
    refusals = {str(status): problem_response(status, sorted(kinds)) for status, kinds in _refusals().items()}
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


def _refusals() -> dict[int, set[str]]:
    """Status → kinds, by the flag table itself, with the flag on and off."""
    found: dict[int, set[str]] = {500: {_BUG}}
    for reason in RefusalReason:
        if reason is RefusalReason.METHOD_NOT_ALLOWED:  # answered to every method but the one described
            continue
        for enabled in (True, False):
            refusal = refuse(reason, validation_enabled=enabled)
            found.setdefault(refusal.status, set()).add(kind_of(reason))
    return found
