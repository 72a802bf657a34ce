"""Strict reading of a stored snapshot's JSON: each error is UnreadableSnapshotError and names the place.

`where` is the path of the object that holds the key, with its final dot; empty at the top.
"""

import re
from datetime import date, datetime
from typing import Any, TypeVar, cast

from pricing.errors import UnreadableSnapshotError, shown
from pricing.quotes import AMOUNT_MINOR_UNITS_MAX

JsonObject = dict[str, Any]

_T = TypeVar("_T")
# An offset may have seconds: local times before standard time do. Digits alone and week dates are no dates.
_DASHED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:|$)")
_KIND_NAMES: dict[type, str] = {
    str: "a text", int: "an integer", bool: "true or false", list: "a list", dict: "an object",
}  # fmt: skip


def value_of(entries: JsonObject, key: str, kind: type[_T], where: str = "") -> _T:
    """A value of exactly this type: `true` is no integer, 1.0 neither."""
    value = entries.get(key)
    if type(value) is not kind:
        raise unreadable(f"{where}{key}", _KIND_NAMES[kind], value)
    return value


def is_null(entries: JsonObject, key: str) -> bool:
    """Whether the key is there and its value null; a key left out is a damage."""
    return key in entries and entries[key] is None


def object_of(entries: JsonObject, key: str, where: str = "") -> JsonObject:
    """An object."""
    return cast("JsonObject", value_of(entries, key, dict, where))


def amount_of(entries: JsonObject, key: str, where: str = "") -> int:
    """An integer that a sum of lines can hold in 64 bits."""
    amount = value_of(entries, key, int, where)
    if not -AMOUNT_MINOR_UNITS_MAX <= amount <= AMOUNT_MINOR_UNITS_MAX:
        raise unreadable(f"{where}{key}", f"at most {AMOUNT_MINOR_UNITS_MAX} in size", amount)
    return amount


def objects_of(entries: JsonObject, key: str, most: int, where: str = "") -> list[JsonObject]:
    """A list of at most so many objects."""
    items = items_of(entries, key, most, where)
    for index, item in enumerate(items):
        if type(item) is not dict:
            raise unreadable(f"{where}{key}[{index}]", "an object", item)
    return cast("list[JsonObject]", items)


def items_of(entries: JsonObject, key: str, most: int, where: str = "") -> list[object]:
    """A list of at most so many values."""
    items = cast("list[object]", value_of(entries, key, list, where))
    if len(items) > most:
        raise unreadable(f"{where}{key}", f"at most {most} entries", len(items))
    return items


def moment_of(entries: JsonObject, key: str, where: str = "") -> datetime:
    """A time with its offset."""
    text = value_of(entries, key, str, where)
    try:
        moment = datetime.fromisoformat(text if _DASHED.match(text) else "")
    except ValueError as error:
        raise unreadable(f"{where}{key}", "a time with its offset", text) from error
    if moment.tzinfo is None:
        raise unreadable(f"{where}{key}", "a time with its offset", text)
    return moment


def dates_of(entries: JsonObject, key: str, most: int, where: str = "") -> tuple[date, ...]:
    """A list of at most so many dates."""
    texts = cast("list[str]", items_of(entries, key, most, where))
    try:
        return tuple(date.fromisoformat(text if _DASHED.match(text) else "") for text in texts)
    except (TypeError, ValueError) as error:
        raise unreadable(f"{where}{key}", "dates", texts) from error


def unreadable(where: str, expected: str, found: object) -> UnreadableSnapshotError:
    """The error that says what stands at a place instead of what should."""
    return UnreadableSnapshotError(f"snapshot: {where}: expected {expected}, found {shown(found)}")
