"""Query parameters of the reconciler's lists."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar.params import FromQuery, QueryParameter

from chassis.http.paging import PAGE_ROWS_MAX, bad_cursor, decode_cursor
from chassis.http.problems import InvalidRequestError
from contracts.times import parse_time
from reconciler.api.problems import unknown_value
from reconciler.domain.filter_members import FilterError, members_of_query, parse_members
from reconciler.domain.filters import ExceptionFilter, Position

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
Type = Annotated[str | None, QueryParameter(name="type")]

_BOOLEAN = "`true` or `false`"

RunPosition = tuple[datetime, str]
"""Time of the request and id of a run."""


async def provide_exception_filter(
    *,
    kind: Type = None,
    drift_class: Annotated[str | None, QueryParameter(name="class", description="of pricing drifts")] = None,
    status: FromQuery[str | None] = None,
    severity: FromQuery[str | None] = None,
    assignee: Annotated[str | None, QueryParameter(description="a person, or `nobody`")] = None,
    booking_id: FromQuery[str | None] = None,
    cause: Annotated[str | None, QueryParameter(description="`cause` of an exception or a group")] = None,
    currency: FromQuery[str | None] = None,
    waiting: Annotated[
        str | None,
        QueryParameter(description="`true`: those that may pass by themselves, which are left out else"),
    ] = None,
    overdue: Annotated[str | None, QueryParameter(description=f"{_BOOLEAN}: a time is over")] = None,
    regressed: Annotated[str | None, QueryParameter(description=f"{_BOOLEAN}: came back")] = None,
    escalated: Annotated[
        str | None, QueryParameter(description=f"{_BOOLEAN}: grew while acknowledged or suppressed")
    ] = None,
    resolved_by: Annotated[str | None, QueryParameter(description="`machine` or `person`")] = None,
    resolution: FromQuery[str | None] = None,
    amount_min: Annotated[
        str | None, QueryParameter(description="size of the difference in minor units, without its sign")
    ] = None,
    first_seen_from: FromQuery[datetime | None] = None,
    first_seen_to: Annotated[
        datetime | None, QueryParameter(description="seen first before this time")
    ] = None,
    q: Annotated[str | None, QueryParameter(description="part of the title")] = None,
) -> ExceptionFilter:
    """Return the filter that query parameters describe: the dependency `selected`.

    Raises:
        Problem: 400 that names the parameter, with the allowed values.
    """
    given = {
        "type": kind, "class": drift_class, "status": status, "severity": severity, "assignee": assignee,
        "booking_id": booking_id, "cause": cause, "currency": currency, "waiting": waiting,
        "overdue": overdue, "regressed": regressed, "escalated": escalated, "resolved_by": resolved_by,
        "resolution": resolution, "amount_min": amount_min, "q": q,
    }  # fmt: skip
    texts = {name: text for name, text in given.items() if text is not None}
    times = {"first_seen_from": first_seen_from, "first_seen_to": first_seen_to}
    return read_filter(
        {**members_of_query(texts), **{name: time for name, time in times.items() if time is not None}}
    )


def read_filter(members: Mapping[str, Any], *, inside: str = "") -> ExceptionFilter:
    """Return the filter of JSON members.

    Args:
        members: by name.
        inside: the member of the body that holds them, for messages.

    Raises:
        Problem: 400 that names the member, with the allowed values.
    """
    try:
        return parse_members(members)
    except FilterError as error:
        name = f"{inside}.{error.member}" if inside else error.member
        if error.allowed:
            raise unknown_value(name, error.message, error.allowed) from None
        raise InvalidRequestError(name, error.message) from None


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
