"""Pages of the reconciler's lists."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar.params import QueryParameter

from chassis.http.page_sizes import PAGE_ROWS_MAX
from chassis.http.paging import bad_cursor, decode_cursor
from contracts.times import parse_time
from reconciler.domain.filters import GroupPosition, Position

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]

_STAKE = re.compile(r"-?[0-9]{1,1000}")

RunPosition = tuple[datetime, str]
"""Time of the request and id of a run."""


def parse_exception_cursor(cursor: str | None, query: object) -> Position | None:
    """Return the position at which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (int, str, str), query)
    return None if key is None else Position(key[0], *_time_and_id(key[1], key[2]))


def parse_group_cursor(cursor: str | None, query: object) -> GroupPosition | None:
    """Return the position at which the previous page of groups ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (str, int, str), query)
    if key is None:
        return None
    if not _STAKE.fullmatch(key[0]):
        raise bad_cursor()
    return GroupPosition(*key)


def parse_run_cursor(cursor: str | None, query: object) -> RunPosition | None:
    """Return the position at which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (str, str), query)
    return None if key is None else _time_and_id(*key)


def parse_exception_id_cursor(cursor: str | None, query: object) -> str | None:
    """Return the id of the exception with which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (str,), query)
    try:
        return None if key is None else str(UUID(key[0]))
    except ValueError as error:
        raise bad_cursor() from error


def _time_and_id(moment: str, identifier: str) -> tuple[datetime, str]:
    try:
        return parse_time(moment), str(UUID(identifier))
    except ValueError as error:
        raise bad_cursor() from error


def parse_finding_cursor(cursor: str | None, query: object) -> tuple[int, int] | None:
    """Return severity rank and number of the previous page's last finding; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (int, int), query)
    return None if key is None else (key[0], key[1])


def parse_view_cursor(cursor: str | None, query: object) -> tuple[str, str] | None:
    """Return name and id of the previous page's last view; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (str, str), query)
    if key is None:
        return None
    try:
        return key[0], str(UUID(key[1]))
    except ValueError as error:
        raise bad_cursor() from error
