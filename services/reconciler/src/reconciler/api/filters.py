"""Query parameters of the reconciler's lists."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar.params import QueryParameter

from chassis.http.paging import PAGE_ROWS_MAX, bad_cursor, decode_cursor
from contracts.times import parse_time
from reconciler.api.problems import unknown_value
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.exceptions import EXCEPTION_STATUSES
from reconciler.domain.filters import ExceptionFilter, Position
from reconciler.domain.findings import EXCEPTION_TYPES

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
Type = Annotated[str | None, QueryParameter(name="type")]

RunPosition = tuple[datetime, str]
"""Time of the request and id of a run."""


def parse_exception_filter(kind: str | None, status: str | None, severity: str | None) -> ExceptionFilter:
    """Return the filter that query parameters describe; an empty value does not filter.

    Raises:
        Problem: 400 with the allowed values.
    """
    return ExceptionFilter(
        type=_parse("type", kind, EXCEPTION_TYPES),
        status=_parse("status", status, EXCEPTION_STATUSES),
        severity=_parse("severity", severity, SEVERITIES),
    )


def parse_exception_cursor(cursor: str | None, query: object) -> Position | None:
    """Return the position at which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (int, str, str), query)
    return None if key is None else Position(key[0], *_time_and_id(key[1], key[2]))


def parse_run_cursor(cursor: str | None, query: object) -> RunPosition | None:
    """Return the position at which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, (str, str), query)
    return None if key is None else _time_and_id(*key)


def _parse(name: str, value: str | None, allowed: Sequence[str]) -> str | None:
    if value and value not in allowed:
        raise unknown_value(name, value, allowed)
    return value or None


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
