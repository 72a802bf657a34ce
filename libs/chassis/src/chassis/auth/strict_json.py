"""Strict JSON objects: UTF-8, no repeated member, no NaN. Two readers cannot read them differently."""

import json
from typing import Any, NoReturn, cast


class NotJsonError(ValueError):
    """The bytes are not one JSON object. The message says why and quotes nothing."""


def read_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises:
        NotJsonError: `raw` is no strict JSON object.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
    except NotJsonError:
        raise
    except (ValueError, RecursionError):  # ValueError: also not UTF-8, or a number of thousands of digits
        raise NotJsonError("not JSON in UTF-8, or nested too deeply") from None
    if not isinstance(value, dict):
        raise NotJsonError("not a JSON object")
    return cast("dict[str, Any]", value)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonError("a member is repeated in one object")
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise NotJsonError("NaN and Infinity are not JSON")
