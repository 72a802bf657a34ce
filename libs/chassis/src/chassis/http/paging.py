"""Cursor paging: a page ends where the next begins, however many rows are added meanwhile."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from chassis.http.request_checks import InvalidRequestError
from chassis.postgres.stored_rows import KeyPart
from contracts.text import sanitize_for_postgres

PAGE_ROWS_DEFAULT = 50
PAGE_ROWS_MAX = 500
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""A page ends before the row that would make it larger, unless that row is its first."""

_BIGINT = range(-(2**63), 2**63)
_DIGEST_CHARACTERS = 12

RowT = TypeVar("RowT")


def encode_cursor(key: Sequence[KeyPart], of: object = None) -> str:
    """Return a position in a sorted list as opaque text.

    Args:
        key: what the list is sorted by, of the last row shown.
        of: the list and its filters: whatever has the same `repr` for the same question. The position
            counts for this question alone; with another filter it would skip rows without a word.
    """
    bound = list(key) if of is None else [_digest(of), *key]
    return urlsafe_b64encode(msgspec.json.encode(bound)).decode().rstrip("=")


def decode_cursor(
    cursor: str | None, kinds: Sequence[type[KeyPart]], of: object = None
) -> tuple[Any, ...] | None:
    """Return the position that `encode_cursor` took for the same question, or None for the first page.

    Raises:
        InvalidRequestError: the cursor is none of this list and these filters (answered as 400).
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
        "cursor", "not one that this list gave out for these filters; leave it away to begin"
    )


def _digest(of: object) -> str:
    return hashlib.sha256(repr(of).encode(errors="surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]


def _comparable(part: KeyPart) -> bool:
    """Whether PostgreSQL can hold it; a forged cursor must not become an error of the database."""
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
    """Return `{"items", "next_cursor"}`: at most `limit` rows and PAGE_BYTES_MAX bytes, and at least one row.

    Args:
        rows: at most `limit` + 1; the extra one shows that there are more.
        limit: rows of a page.
        key: position of a row in the list, from which the next page goes on; None where it cannot be read,
            and then the row before counts.
        of: the list and its filters, as `encode_cursor` takes them.
    """
    items = list(rows[: _rows_within(rows[:limit])])
    keys = (found for item in reversed(items) if (found := key(item)) is not None)
    last = next(keys, None) if len(rows) > len(items) else None
    return {"items": items, "next_cursor": None if last is None else encode_cursor(last, of)}


def _rows_within(rows: Sequence[Any]) -> int:
    """Return how many rows a page may have by their size as JSON."""
    size_bytes = 0
    for number, row in enumerate(rows):
        size_bytes += len(msgspec.json.encode(row, enc_hook=repr))
        if size_bytes > PAGE_BYTES_MAX:
            return max(1, number)
    return len(rows)
