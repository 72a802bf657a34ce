"""Errors of a request as problems: each exception has a handler, and invalid fields are named (ALL-6, ALL-9).

The framework names a handler's arguments: `format_` for `format`, `idempotency_key` for a header. Here a
field has the name that its caller wrote.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg

from chassis.auth.access import PUBLIC_PREFIX
from chassis.auth.guard import AccessRefusedError
from chassis.http.body_errors import body_errors
from chassis.http.head_requests import allow_with_head
from chassis.http.problems import (
    FAILED,
    UNSUPPORTED_MEDIA_TYPE,
    InvalidRequestError,
    Problem,
    problem_response,
)
from chassis.http.request_log import route_of
from chassis.kafka.errors import BrokerUnavailableError
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import is_transient
from chassis.postgres.read_pool import READ_TOO_LONG, TOO_MANY_READS, ReadTooLongError, TooManyReadsError
from chassis.postgres.stored_rows import UnreadableRowError
from chassis.process.terminal import printable
from chassis.process.wording import bounds, choices, expected_form, one_of, shown

_log = get_logger(__name__)

REQUEST_BYTES_MAX = 1024 * 1024
_TOO_LARGE = f"the body is larger than {REQUEST_BYTES_MAX:,} bytes; send less at a time"
_INVALID_REQUEST = "invalid-request"
_KIND_BY_STATUS = {
    400: _INVALID_REQUEST,
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "body-incomplete",
    413: "body-too-large",
    415: UNSUPPORTED_MEDIA_TYPE,
}

_BODY = "body"
_CHARACTERS_MAX = 500
_DATA = "data"

AnyRequest = Request[Any, Any, Any]
Answer = Response[dict[str, Any]]


def _on_problem(_request: AnyRequest, error: Problem) -> Answer:
    return problem_response(error.status_code, error.kind, error.detail, error.members, error.headers)


def _on_http_error(request: AnyRequest, error: HTTPException) -> Answer:
    """Answer an error of the framework; of an invalid request all fields, the first one in `detail`."""
    errors = _invalid_fields(request, error)
    if errors is not None:
        detail = f"{errors[0]['field']}: {errors[0]['message']}" if errors else error.detail
        if len(errors) > 1:
            detail = f"{detail} (the first of {len(errors)} in `errors`)"
        return problem_response(400, _INVALID_REQUEST, detail, {"errors": errors} if errors else None)
    kind = _KIND_BY_STATUS.get(error.status_code, "error")
    members = {"errors": error.extra} if error.extra else None
    detail = _own_details(request, error).get(error.status_code, error.detail)
    return problem_response(error.status_code, kind, detail, members, _with_head(error.headers))


def _with_head(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return headers whose `Allow` names HEAD wherever it names GET: the router knows of no HEAD."""
    if not headers or "allow" not in headers:
        return headers
    return {**headers, "allow": allow_with_head(headers["allow"])}


def _own_details(request: AnyRequest, error: HTTPException) -> Mapping[int, str]:
    """Return what to do, by status, in place of the framework's name of the status."""
    allowed = (_with_head(error.headers) or {}).get("allow", "")
    method = printable(request.scope["method"])
    return {
        404: f"there is no route for this path (an id in it is a whole UUID); {PUBLIC_PREFIX} lists them",
        405: f"{method} is not possible here; expected one of {allowed}",
        413: _TOO_LARGE,
    }


def _on_access_refused(_request: AnyRequest, error: AccessRefusedError) -> Answer:
    reason = error.refusal.reason.value
    kind = reason.replace("_", "-")
    return problem_response(error.status, kind, error.refusal.detail, {"reason": reason}, error.headers)


def _on_unreadable_row(_request: AnyRequest, error: UnreadableRowError) -> Answer:
    return problem_response(500, "stored-row-unreadable", str(error))


def _on_error(request: AnyRequest, error: Exception) -> Answer:
    if isinstance(error, BrokerUnavailableError) or is_transient(error):
        _log.warning("request could not be served", route=route_of(request.scope), error=loggable(error))
        detail = "a database or broker does not answer; try again"
        return problem_response(503, "temporarily-unavailable", detail)
    if isinstance(error, RecursionError | UnicodeDecodeError):  # raised by the decoder of the body alone
        return problem_response(400, _INVALID_REQUEST, "body: not JSON in UTF-8, or nested too deeply")
    _log.error("request failed", route=route_of(request.scope), error=loggable(error), exc_info=error)
    return problem_response(500, *FAILED)


def _on_too_many_reads(_request: AnyRequest, _error: TooManyReadsError) -> Answer:
    return problem_response(429, TOO_MANY_READS, "other long reads are running; try again in a moment")


def _on_read_too_long(_request: AnyRequest, error: ReadTooLongError) -> Answer:
    return problem_response(503, READ_TOO_LONG, str(error))


EXCEPTION_HANDLERS: Any = {
    AccessRefusedError: _on_access_refused,
    TooManyReadsError: _on_too_many_reads,
    ReadTooLongError: _on_read_too_long,
    Problem: _on_problem,
    HTTPException: _on_http_error,
    UnreadableRowError: _on_unreadable_row,
    Exception: _on_error,
}


def _invalid_fields(request: AnyRequest, error: HTTPException) -> list[dict[str, str]] | None:
    """Return `field` and `message` of each invalid part of the request; None for another kind of error."""
    if isinstance(error, InvalidRequestError):
        wrong = [(error.field, error.message), *error.others]
        fields = [{"field": field, "message": message} for field, message in wrong]
    elif isinstance(errors := getattr(error.__cause__, "errors", None), list):
        body = _arguments(request).get(_DATA)
        annotation = None if body is None else body.annotation
        fields = list(body_errors(annotation, cast("list[Mapping[str, Any]]", errors)))
    elif isinstance(error, ValidationException):
        extra: list[Any] = error.extra if isinstance(error.extra, list) else []
        fields = list(_framework_fields(request, extra))
    else:
        return None
    return [{name: _printable(text) for name, text in each.items()} for each in fields]


def _printable(text: str) -> str:
    """Return the caller's words in one line of bounded length."""
    return printable(text[:_CHARACTERS_MAX])


def _framework_fields(request: AnyRequest, errors: list[Any]) -> Iterator[dict[str, str]]:
    arguments = _arguments(request)
    for error in errors:
        key = str(error.get("key", _BODY))
        argument = arguments.get(key)
        is_missing_body = key == _DATA and error["message"] == repr(_DATA)
        name = _name(key, argument)
        if is_missing_body:
            message = _missing_body(argument)
        else:
            message = _explained(str(error["message"]), argument, request.query_params.get(name))
        yield {"field": name, "message": message}


def _name(key: str, argument: Any) -> str:
    if key == _DATA:
        return _BODY
    definition = getattr(argument, "kwarg_definition", None)
    return (isinstance(definition, ParameterKwarg) and definition.name) or key


def _missing_body(argument: Any) -> str:
    form = expected_form(None if argument is None else argument.annotation)
    return f"missing; send {form} as JSON" if form else "missing; send a JSON object"


def _explained(message: str, argument: Any, value: str | None) -> str:
    """Return the framework's message about a parameter in words, with what came."""
    annotation = None if argument is None else argument.annotation
    declared: Any = getattr(argument, "kwarg_definition", None)
    length = re.search(r"`str` of length (<=|>=) ([0-9]+)", message)
    if allowed := choices(annotation):
        text = one_of(allowed, value)
    elif length:
        text = f"{'at most' if length[1] == '<=' else 'at least'} {length[2]} characters"
    elif "`int`" in message:
        text = bounds(getattr(declared, "ge", None), getattr(declared, "le", None))
    elif form := expected_form(Annotated[annotation, declared]):
        text = form
    else:
        return message
    return f"expected {text}" if value is None else f"expected {text}, got {shown(value)}"


def _arguments(request: AnyRequest) -> Mapping[str, Any]:
    """Return the parameters of the request's handler and of what it depends on, by name."""
    scope = cast("Mapping[str, Any]", request.scope)  # a request without a route has no handler
    if "route_handler" not in scope:
        return {}
    handler = scope["route_handler"]
    functions = [*handler.resolve_dependencies().values(), handler]
    return {name: each for of in functions for name, each in of.parsed_fn_signature.parameters.items()}
