"""Adds the webhook route to the OpenAPI document by hand: a bare ASGI route describes nothing."""

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

from chassis.http.openapi.problems import problem_response
from contracts.reasons import RefusalReason
from webhook_gateway.api.responses import problem_kind
from webhook_gateway.api.webhooks import MOUNTS
from webhook_gateway.domain.flag_table import refuse
from webhook_gateway.domain.verification import FORM

_RECEIVED = Schema(
    type=OpenAPIType.OBJECT,
    required=["received"],
    properties={"received": Schema(type=OpenAPIType.BOOLEAN, const=True)},
)
_CHALLENGE = Schema(
    type=OpenAPIType.OBJECT,
    description="To a sender that asks whether we are the right ones (Slack's `url_verification`)",
    required=["challenge"],
    properties={"challenge": Schema(type=OpenAPIType.STRING)},
)
_EMPTY = Schema(type=OpenAPIType.STRING, max_length=0, description='A source with `answer = "empty"`')
_TWIML = Schema(
    type=OpenAPIType.STRING, description='A source with `answer = "twiml"`: an empty `<Response/>`'
)
_FORM = Schema(
    type=OpenAPIType.OBJECT,
    description="From senders of forms (GitHub, Slack, Twilio)",
    additional_properties=Schema(type=OpenAPIType.STRING),
)
_BUG = "internal-error"
_UNAUTHORIZED = 401


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
        content={
            "application/json": OpenAPIMediaType(schema=Schema(any_of=[_CHALLENGE, _RECEIVED])),
            "text/plain": OpenAPIMediaType(schema=_EMPTY),
            "text/xml": OpenAPIMediaType(schema=_TWIML),
        },
    )
    refusals = {str(status): _refused(status, kinds) for status, kinds in _refusals().items()}
    return Operation(
        tags=["webhooks"],
        operation_id=operation_id,
        summary="Deliver a webhook",
        description="The body is taken exactly as sent; 200 means that it is stored.",
        parameters=[
            Parameter(
                name="source",
                param_in="path",
                required=True,
                description="As the settings name it: `webhook-gateway sources` lists them",
                schema=Schema(type=OpenAPIType.STRING),
            )
        ],
        request_body=RequestBody(
            content={
                "application/json": OpenAPIMediaType(schema=Schema()),
                FORM: OpenAPIMediaType(schema=_FORM),
            },
            required=True,
        ),
        responses={"200": received, **refusals},
    )


def _refused(status: int, kinds: set[str]) -> OpenAPIResponse:
    response = problem_response(status, sorted(kinds))
    if status == _UNAUTHORIZED:  # a signature is no HTTP authentication: there is no WWW-Authenticate
        response.headers = {}
    return response


def _refusals() -> dict[int, set[str]]:
    """Return the problem kinds by status, from the flag table with the flag on and off."""
    kinds: dict[int, set[str]] = {500: {_BUG}}
    for reason in RefusalReason:
        if reason is RefusalReason.METHOD_NOT_ALLOWED:  # the response to every method but the described one
            continue
        for enabled in (True, False):
            refusal = refuse(reason, validation_enabled=enabled)
            kinds.setdefault(refusal.status, set()).add(problem_kind(reason))
    return kinds
