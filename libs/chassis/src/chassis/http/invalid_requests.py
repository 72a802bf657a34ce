"""What is wrong with a request, in the names that its caller used (ALL-9).

The framework speaks of a handler's arguments: `format_` for `format`, `idempotency_key` for a header. It also
takes a member of the body that has the name of a dependency for a fault of ours.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Literal, cast, get_args, get_origin

from litestar import Request
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg

from chassis.http.request_bodies import body_errors
from chassis.http.request_checks import InvalidRequestError, types_in
from chassis.process.terminal import printable

BODY = "body"
CHARACTERS_MAX = 500
MISSING_BODY = "missing; send a JSON object"
_DATA = "data"


def invalid_fields(request: Request[Any, Any, Any], error: HTTPException) -> list[dict[str, str]] | None:
    """Return `field` and `message` of each part of the request that is wrong; None if ours is the fault."""
    found = _found(request, error)
    return None if found is None else [{name: _shown(text) for name, text in each.items()} for each in found]


def _shown(text: str) -> str:
    """Return a caller's own words in one line and no longer than an answer should be."""
    return printable(text[:CHARACTERS_MAX])


def _found(request: Request[Any, Any, Any], error: HTTPException) -> list[dict[str, str]] | None:
    if isinstance(error, InvalidRequestError):
        return [{"field": error.field, "message": error.message}]
    told = getattr(error.__cause__, "errors", None)
    if isinstance(told, list):
        return list(body_errors(_annotation(request, _DATA), cast("list[Mapping[str, Any]]", told)))
    if not isinstance(error, ValidationException):
        return None
    found: list[Any] = error.extra if isinstance(error.extra, list) else []
    return list(_named(request, found))


def _named(request: Request[Any, Any, Any], found: list[Any]) -> Iterator[dict[str, str]]:
    fields = _fields(request)
    for item in found:
        key = str(item.get("key", BODY))
        field = fields.get(key)
        annotation = None if field is None else field.annotation
        message = MISSING_BODY if key == _DATA and item["message"] == repr(_DATA) else str(item["message"])
        message = _with_choices(message, annotation)
        yield {"field": _name(key, field), "message": message}


def _name(key: str, field: Any) -> str:
    if key == _DATA:
        return BODY
    stated = getattr(field, "kwarg_definition", None)
    return (isinstance(stated, ParameterKwarg) and stated.name) or key


def _with_choices(message: str, annotation: Any) -> str:
    """Add the values that there are, where they are few and listed in the type."""
    choices: list[str] = []
    for each in types_in(annotation):
        if isinstance(each, type) and issubclass(each, Enum):
            choices += [str(member.value) for member in each]
        elif get_origin(each) is Literal:
            choices += [str(value) for value in get_args(each)]
    return f"{message}; choose one of {', '.join(choices)}" if choices else message


def _fields(request: Request[Any, Any, Any]) -> Mapping[str, Any]:
    scope = cast("Mapping[str, Any]", request.scope)  # of a request that has no route, it lacks the handler
    return scope["route_handler"].parsed_fn_signature.parameters if "route_handler" in scope else {}


def _annotation(request: Request[Any, Any, Any], name: str) -> Any:
    field = _fields(request).get(name)
    return None if field is None else field.annotation
