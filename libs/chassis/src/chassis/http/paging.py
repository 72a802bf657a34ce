"""Cursor paging: rows that are added meanwhile neither shift nor repeat a page's rows."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from chassis.http.problems import InvalidRequestError
from chassis.postgres.stored_rows import KeyPart
from contracts.text import sanitize_for_postgres

# A page ends before the row that would make it larger, unless that row is its first.
PAGE_BYTES_MAX = 2 * 1024 * 1024

_BIGINT = range(-(2**63), 2**63)
_DIGEST_CHARACTERS = 12

RowT = TypeVar("RowT")


def encode_cursor(key: Sequence[KeyPart], of: object = None) -> str:
    """Return a position in a sorted list as opaque text.

    Args:
        key: sort key of the last row of the page.
        of: the list and its filters; equal queries have equal `repr`s. The cursor is valid for this query
            only: with another filter it would skip rows silently.
    """
    bound = list(key) if of is None else [_digest(of), *key]
    return urlsafe_b64encode(msgspec.json.encode(bound)).decode().rstrip("=")


def decode_cursor(
    cursor: str | None, kinds: Sequence[type[KeyPart]], of: object = None
) -> tuple[Any, ...] | None:
    """Return the key that `encode_cursor` encoded for the same query, or None for the first page.

    Raises:
        InvalidRequestError: the cursor is not of this list and these filters (answered as 400).
    """
    if not cursor:
        return None
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw, type=list[KeyPart])
    except (ValueError, RecursionError, msgspec.DecodeError) as error:
        raise bad_cursor() from error
    if of is not None:
        if not key or key[0] != _digest(of):
            raise bad_cursor()
        key = key[1:]
    if [type(part) for part in key] != list(kinds) or not all(_comparable(part) for part in key):
        raise bad_cursor()
    return tuple(key)


def bad_cursor() -> InvalidRequestError:
    """Return the error of a cursor that names no position of the list."""
    return InvalidRequestError(
        "cursor", "not one that this list gave out for these filters; omit it to begin"
    )


def _digest(of: object) -> str:
    return hashlib.sha256(repr(of).encode(errors="surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]


def _comparable(part: KeyPart) -> bool:
    # PostgreSQL must be able to hold the value: a forged cursor must not become a database error.
    if isinstance(part, int):
        return part in _BIGINT
    return sanitize_for_postgres(part) == part


def page(
    rows: Sequence[RowT],
    *,
    limit: int,
    key: Callable[[RowT], Sequence[KeyPart] | None],
    of: object = None,
) -> dict[str, Any]:
    """Return `{"items", "next_cursor"}`: 1 to `limit` rows, at most PAGE_BYTES_MAX bytes if more than one.

    Args:
        rows: at most `limit` + 1; the extra row shows that another page exists.
        limit: maximum number of rows.
        key: returns the sort key of a row, or None if the row is unreadable. The next page starts after the
            last row that has a key.
        of: the list and its filters, as `encode_cursor` takes them.
    """
    items = list(rows[: _rows_within(rows[:limit])])
    keys = (position for item in reversed(items) if (position := key(item)) is not None)
    last = next(keys, None) if len(rows) > len(items) else None
    return {"items": items, "next_cursor": None if last is None else encode_cursor(last, of)}


def _rows_within(rows: Sequence[Any]) -> int:
    """Return how many of the rows fit into a page by their size as JSON."""
    size_bytes = 0
    for number, row in enumerate(rows):
        size_bytes += len(msgspec.json.encode(row, enc_hook=repr))
        if size_bytes > PAGE_BYTES_MAX:
            return max(1, number)
    return len(rows)
