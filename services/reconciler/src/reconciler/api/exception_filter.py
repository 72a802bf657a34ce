"""The exception filter in query strings: the dependency `selected` of list, groups and export (REC-9d)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from chassis.http.problems import InvalidRequestError
from chassis.http.query_check import known_names
from chassis.postgres import Database
from reconciler.api.problems import outdated_view, unknown_value, unknown_view
from reconciler.domain.filter_members import MEMBERS, FilterError, members_of_query, parse_members
from reconciler.domain.filters import ExceptionFilter
from reconciler.handlers import exception_views

Type = Annotated[str | None, QueryParameter(name="type")]
SELECTION_REFUSALS: Mapping[int, Sequence[str]] = {404: ["view-not-found"], 409: ["view-outdated"]}
"""Status → problem types of a route that takes the filter, besides its own."""

_BOOLEAN = "`true` or `false`"


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
    view: Annotated[
        UUID | None, QueryParameter(description="id of a view; other parameters may only narrow it")
    ] = None,
    database: NamedDependency[Database],
    actor: NamedDependency[str],
) -> ExceptionFilter:
    """Return the filter that query parameters and a view describe.

    Raises:
        Problem: 400 that names the parameter, with the allowed values; 404 for an unknown view.
    """
    given = {
        "type": kind, "class": drift_class, "status": status, "severity": severity, "assignee": assignee,
        "booking_id": booking_id, "cause": cause, "currency": currency, "waiting": waiting,
        "overdue": overdue, "regressed": regressed, "escalated": escalated, "resolved_by": resolved_by,
        "resolution": resolution, "amount_min": amount_min, "q": q,
    }  # fmt: skip
    texts = {name: text for name, text in given.items() if text is not None}
    times = {"first_seen_from": first_seen_from, "first_seen_to": first_seen_to}
    members = {
        **members_of_query(texts),
        **{name: time for name, time in times.items() if time is not None},
    }
    own = read_filter(members)
    if view is None:
        return own
    async with database.connection() as connection:
        found = await exception_views.get_view(connection, view, actor)
    if found is None:
        raise unknown_view(view)
    for name in members:
        if name in found.filter:
            raise InvalidRequestError(name, "the view sets it already; omit it, or omit `view`")
    try:
        return parse_members({**found.filter, **members})
    except FilterError as error:
        raise outdated_view(view, str(error)) from None


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
        if error.member not in MEMBERS:
            hint = f"unknown member, {known_names(error.member, tuple(MEMBERS))}"
            raise InvalidRequestError(name, hint) from None
        if error.allowed:
            raise unknown_value(name, error.message, error.allowed) from None
        raise InvalidRequestError(name, error.message) from None
