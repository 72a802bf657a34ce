"""The exception filter in query strings: the dependency `selected` of list, groups and export (REC-9d)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
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

ValueT = TypeVar("ValueT")

Type = Annotated[str | None, QueryParameter(name="type")]
SELECTION_REFUSALS: Mapping[int, Sequence[str]] = {404: ["view-not-found"], 409: ["view-outdated"]}
"""Status → problem types of a route that takes the filter, besides its own."""


def _parameter(description: str, *, name: str | None = None) -> QueryParameter:
    return QueryParameter(name=name, description=description)


_Class = Annotated[str | None, _parameter("of pricing drifts", name="class")]
_Assignee = Annotated[str | None, _parameter("a person, or `nobody`")]
_Cause = Annotated[str | None, _parameter("`cause` of an exception or a group")]
_Waiting = Annotated[str | None, _parameter("`true`: those that may pass by themselves, else left out")]
_Overdue = Annotated[str | None, _parameter("`true` or `false`: a time is over")]
_Regressed = Annotated[str | None, _parameter("`true` or `false`: came back")]
_Escalated = Annotated[str | None, _parameter("`true` or `false`: grew while acknowledged or suppressed")]
_ResolvedBy = Annotated[str | None, _parameter("`machine` or `person`")]
_AmountMin = Annotated[str | None, _parameter("size of the difference in minor units, without its sign")]
_SeenBefore = Annotated[datetime | None, _parameter("seen first before this time")]
_Text = Annotated[str | None, _parameter("part of the title")]
_View = Annotated[UUID | None, _parameter("id of a view; other parameters may only narrow it")]


async def provide_exception_filter(
    *,
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    kind: Type = None,
    drift_class: _Class = None,
    status: FromQuery[str | None] = None,
    severity: FromQuery[str | None] = None,
    assignee: _Assignee = None,
    booking_id: FromQuery[str | None] = None,
    cause: _Cause = None,
    currency: FromQuery[str | None] = None,
    waiting: _Waiting = None,
    overdue: _Overdue = None,
    regressed: _Regressed = None,
    escalated: _Escalated = None,
    resolved_by: _ResolvedBy = None,
    resolution: FromQuery[str | None] = None,
    amount_min: _AmountMin = None,
    first_seen_from: FromQuery[datetime | None] = None,
    first_seen_to: _SeenBefore = None,
    q: _Text = None,
    view: _View = None,
) -> ExceptionFilter:
    """Return the filter that query parameters and a view describe.

    Raises:
        Problem: 400 that names the parameter, with the allowed values; 404 for an unknown view.
    """
    texts = {
        "type": kind, "class": drift_class, "status": status, "severity": severity, "assignee": assignee,
        "booking_id": booking_id, "cause": cause, "currency": currency, "waiting": waiting,
        "overdue": overdue, "regressed": regressed, "escalated": escalated, "resolved_by": resolved_by,
        "resolution": resolution, "amount_min": amount_min, "q": q,
    }  # fmt: skip
    times = {"first_seen_from": first_seen_from, "first_seen_to": first_seen_to}
    members = {**members_of_query(_given(texts)), **_given(times)}
    own = read_filter(members)
    return own if view is None else await _within_view(database, view, actor, members)


def _given(values: Mapping[str, ValueT | None]) -> dict[str, ValueT]:
    return {name: value for name, value in values.items() if value is not None}


async def _within_view(
    database: Database, view_id: UUID, person: str, members: Mapping[str, Any]
) -> ExceptionFilter:
    """Return the filter of a view, narrowed by further members."""
    async with database.connection() as connection:
        view = await exception_views.get_view(connection, view_id, person)
    if view is None:
        raise unknown_view(view_id)
    for name in members:
        if name in view.filter:
            raise InvalidRequestError(name, "the view sets it already; omit it, or omit `view`")
    try:
        return parse_members({**view.filter, **members})
    except FilterError as error:
        raise outdated_view(view_id, str(error)) from None


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
        wrong = [
            (f"{inside}.{member}" if inside else member, _hint(member) or message)
            for member, message in (error.first, *error.others)
        ]
        (name, message), *others = wrong
        if error.allowed:
            raise unknown_value(name, message, error.allowed, others) from None
        raise InvalidRequestError(name, message, others) from None


def _hint(member: str) -> str:
    return "" if member in MEMBERS else f"unknown member, {known_names(member, tuple(MEMBERS))}"
