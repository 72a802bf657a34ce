"""Words for refused values: what is expected, with an example, and what came.

pydantic's and msgspec's own texts name Python's types and classes, which people who type JSON, options and
variables need not know.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any, Literal, cast, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from contracts.times import EXAMPLE

GOT_CHARACTERS_MAX = 40

_WHOLE_NUMBER = "a whole number such as 100"
_TEXT = "text"
_TIME = f"an RFC 3339 time such as {EXAMPLE}"
_ID = "an id such as 0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"
_PLAIN: Mapping[Any, str] = {
    bool: "true or false",
    int: _WHOLE_NUMBER,
    float: "a number such as 2.5",
    str: _TEXT,
    UUID: _ID,
    datetime: _TIME,
    AwareDatetime: _TIME,
}
_PATTERNS = {
    "^[A-Z]{3}$": "a currency of three capital letters such as USD",
    "^https?://": "an address such as https://example.com",
    "^acct_[A-Za-z0-9]+$": "an account's id such as acct_1AbCdEfGh",
    r"^[A-Z][A-Z0-9_]{2,63}$": "the name of a variable such as ACME_WEBHOOK_SECRET",
    "^(json|ndjson)$": "one of json, ndjson",
}
# By the beginning of pydantic's type of an error.
_KINDS = {
    "model": "an object in {}",
    "dict": "an object in {}",
    "mapping": "an object in {}",
    "list": "a list in []",
    "bool": _PLAIN[bool],
    "int": _WHOLE_NUMBER,
    "float": _PLAIN[float],
    "decimal": _PLAIN[float],
    "string": "text in quotes",
    "uuid": _ID,
    "datetime": _PLAIN[datetime],
    "timezone": _PLAIN[datetime],
}


def explain(error: Mapping[str, Any], annotation: Any = None, *, shows_value: bool = True) -> str:
    """Return one of pydantic's errors in words, without the name of the field.

    Args:
        error: of `ValidationError.errors()`.
        annotation: type of the field, where it is known.
        shows_value: say what came. False for settings, which may be secrets.
    """
    kind = error["type"]
    if kind == "missing":
        form = expected_form(annotation)
        return f"missing; expected {form}" if form else "missing"
    text = _of_bounds(kind, error.get("ctx", {})) or _of_kind(error, annotation)
    # A check of a whole object names its members itself.
    is_told = kind == "value_error" and (_is_object(error) or f"'{error.get('input')}'" in text)
    return f"{text}, got {shown(error['input'])}" if shows_value and not is_told else text


def _is_object(error: Mapping[str, Any]) -> bool:
    return isinstance(error.get("input"), dict)


def shown(value: object) -> str:
    """Return a value of JSON as its sender wrote it, shortened."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            items = cast("Sequence[Any]", value)
            return f"a list of {len(items)}" if items else "an empty list"
        case str() if len(value) > GOT_CHARACTERS_MAX:
            start = json.dumps(value[:GOT_CHARACTERS_MAX], ensure_ascii=False)
            return f"{start}… ({len(value)} characters)"
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)[: GOT_CHARACTERS_MAX + 2]


def expected_form(annotation: Any) -> str:
    """Return what a value of this type looks like, with an example; empty for a type without words."""
    inner = types_in(annotation)
    if allowed := choices(annotation):
        return one_of(allowed)
    for each in inner:
        if isinstance(each, type) and issubclass(each, BaseModel):
            return f"an object with {', '.join(required_members(each))}"
        if each is list or get_origin(each) is list:
            return _KINDS["list"]
    patterns = [pattern for each in inner if (pattern := getattr(each, "pattern", None)) in _PATTERNS]
    if patterns:
        return _PATTERNS[patterns[0]]
    return next((_PLAIN[each] for each in inner if isinstance(each, type) and each in _PLAIN), "")


def required_members(model: type[BaseModel]) -> list[str]:
    """Return the members that an object must have; all if none must be there."""
    names = {field.alias or name: field.is_required() for name, field in model.model_fields.items()}
    return [name for name, is_required in names.items() if is_required] or list(names)


def one_of(allowed: Sequence[str], value: object = None) -> str:
    """Return the allowed values, and the nearest one to what came."""
    near = get_close_matches(value, allowed, n=1) if isinstance(value, str) else []
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"one of {', '.join(allowed)}{hint}"


def choices(annotation: Any) -> list[str]:
    """Return the values of the enums and literals in a type."""
    values: list[str] = []
    for each in types_in(annotation):
        if isinstance(each, type) and issubclass(each, Enum):
            values += [str(member.value) for member in each]
        elif get_origin(each) is Literal:
            values += [str(value) for value in get_args(each)]
    return values


def types_in(annotation: Any) -> Collection[Any]:
    """Return the annotation and all types inside its unions, lists and `Annotated`."""
    return [annotation, *(inner for argument in get_args(annotation) for inner in types_in(argument))]


def bounds(minimum: int | None, maximum: int | None) -> str:
    """Return the range of a whole number in words."""
    if minimum is None and maximum is None:
        return _WHOLE_NUMBER
    if maximum is None:
        return f"a whole number, {minimum} or more"
    if minimum is None:
        return f"a whole number, {maximum:,} or less"
    return f"a whole number from {minimum} to {maximum}"


_BOUNDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda limits: f"expected {limits['ge']} or more",
    "greater_than": lambda limits: f"expected more than {limits['gt']}",
    "less_than_equal": lambda limits: f"expected {limits['le']} or less",
    "less_than": lambda limits: f"expected less than {limits['lt']}",
    "string_too_short": lambda limits: f"expected {_characters(limits['min_length'])} or more",
    "string_too_long": lambda limits: f"expected at most {_characters(limits['max_length'])}",
}


def _of_bounds(kind: str, limits: Mapping[str, Any]) -> str | None:
    if kind in _BOUNDS:
        return _BOUNDS[kind](limits)
    # "Value" is pydantic's word for a text that a function has already changed.
    unit = _characters if limits.get("field_type") == "Value" else _entries
    if kind == "too_short":
        return f"expected {unit(limits['min_length'])} or more"
    if kind == "too_long":
        return f"expected at most {unit(limits['max_length'])}"
    return None


def _of_kind(error: Mapping[str, Any], annotation: Any) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind in {"literal_error", "enum"}:
        return f"expected {one_of(_allowed(limits, annotation), error.get('input'))}"
    if kind == "string_pattern_mismatch":
        pattern = limits["pattern"]
        return f"expected {_PATTERNS.get(pattern, f'a form as in the pattern {pattern}')}"
    if kind in {"value_error", "assertion_error"}:
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in {"model_type", "dict_type", "model_attributes_type"} and (form := expected_form(annotation)):
        return f"expected {form}"
    if form := _KINDS.get(kind.partition("_")[0]):
        return f"expected {form}"
    return str(error["msg"]).replace("Input should be", "expected")


def _allowed(limits: Mapping[str, Any], annotation: Any) -> list[str]:
    # pydantic joins the values for a sentence: 'a', 'b' or 'c'.
    joined = str(limits.get("expected", "")).replace(" or ", ", ")
    return choices(annotation) or [part.strip("'") for part in joined.split(", ")]


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count:,} characters"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"
