"""JSON that two readers cannot read in two ways: no member twice, no NaN, nothing but UTF-8."""

import json
from typing import Any, NoReturn, cast


class NotJsonError(ValueError):
    """Not one JSON object; the message says what is wrong and quotes nothing."""


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that these bytes are.

    Raises:
        NotJsonError: they are none.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unambiguous, parse_constant=_refuse_constant)
    except NotJsonError:
        raise
    except (ValueError, RecursionError):  # also not UTF-8, or a number of thousands of digits
        raise NotJsonError("not JSON in UTF-8, or nested too deeply") from None
    if not isinstance(value, dict):
        raise NotJsonError("not a JSON object")
    return cast("dict[str, Any]", value)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonError("a member stands twice in one object")
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise NotJsonError("NaN and Infinity are not JSON")
