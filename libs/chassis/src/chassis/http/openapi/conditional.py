"""ETag, If-None-Match and 304 in the OpenAPI document, for the routes that `EntityTags` answers."""

from litestar import Litestar
from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, OpenAPIType, Operation, Parameter, Schema

from chassis.http.entity_tags import TAGGED_PATHS

_TEXT = Schema(type=OpenAPIType.STRING)
_TAG = OpenAPIHeader(schema=_TEXT, required=True, description="changes exactly when the representation does")
_NOT_MODIFIED = OpenAPIResponse(description="The client has this representation", headers={"ETag": _TAG})


def describe_entity_tags(app: Litestar) -> None:
    """Describe conditional reads of all routes under `/api/` that answer JSON."""
    for path, item in (app.openapi_schema.paths or {}).items():
        if path.startswith(TAGGED_PATHS) and item.get is not None:
            _describe(item.get)


def _describe(operation: Operation) -> None:
    responses = operation.responses = dict(operation.responses or {})
    answer = responses.get("200")
    if not isinstance(answer, OpenAPIResponse) or "application/json" not in (answer.content or {}):
        return
    answer.headers = {"ETag": _TAG, **(answer.headers or {})}
    responses["304"] = _NOT_MODIFIED
    parameter = Parameter(
        name="If-None-Match",
        param_in="header",
        schema=_TEXT,
        required=False,
        description="ETags that the client knows, or *: 304 without a body if one of them is the present one",
    )
    operation.parameters = [*(operation.parameters or []), parameter]
