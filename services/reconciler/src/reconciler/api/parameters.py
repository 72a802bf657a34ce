"""What both lists take."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar.params import QueryParameter

from chassis.http import Problem
from chassis.http.paging import PAGE_ROWS_MAX, bad_cursor
from contracts.times import parse_time

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]


def chosen(name: str, value: str | None, allowed: Sequence[str]) -> str | None:
    """A filter's value, None where it filters nothing.

    Raises:
        Problem: 400 with the list of values that there are.
    """
    if value and value not in allowed:
        detail = f"{name}: {value[:80]!a} is unknown, choose one of {', '.join(allowed)}"
        raise Problem(400, "invalid-request", detail, allowed=list(allowed))
    return value or None


def place(requested_at: str, identifier: str) -> tuple[datetime, str]:
    """Time and id out of a cursor.

    Raises:
        InvalidRequestError: they are none (answered as 400).
    """
    try:
        return parse_time(requested_at), str(UUID(identifier))
    except ValueError as error:
        raise bad_cursor() from error
