"""Cursor paging: a page ends where the next begins, however many rows are added meanwhile."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from litestar.exceptions import ValidationException

PAGE_ROWS_DEFAULT = 50
PAGE_ROWS_MAX = 500

RowT = TypeVar("RowT")
KeyPart = str | int


def encode_cursor(key: Sequence[KeyPart]) -> str:
    """A position in a sorted list as opaque text."""
    return urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, kinds: Sequence[type[KeyPart]]) -> tuple[Any, ...] | None:
    """The position that `encode_cursor` took, or None for the first page.

    Raises:
        ValidationException: not a cursor of this list (answered as 400).
    """
    if not cursor:
        return None
    try:
        key = json.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, Base64Error, RecursionError) as error:
        raise ValidationException(
            "cursor: not one that this list gave out; leave it away to begin"
        ) from error
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON from outside
        raise ValidationException("cursor: not one that this list gave out; leave it away to begin")
    return tuple(key)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON, checked above


def page(rows: Sequence[RowT], *, limit: int, key: Callable[[RowT], Sequence[KeyPart]]) -> dict[str, Any]:
    """`{"items", "next_cursor"}` from at most `limit` + 1 rows: the extra one shows that there is more."""
    items = list(rows[:limit])
    more = len(rows) > limit
    return {"items": items, "next_cursor": encode_cursor(key(items[-1])) if more and items else None}
