"""The exception filter as a condition in SQL. What a client writes is a parameter, never a part of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from reconciler.domain.classify import SEVERITIES, Severity
from reconciler.domain.clocks import Reading
from reconciler.domain.filters import NOBODY, ExceptionFilter

# By field of ExceptionFilter. `{}` is the place of the value.
_WITH_VALUE = {
    "type": "type = {}",
    "drift_class": "drift_class = {}",
    "status": "status = {}",
    "severity": "severity = {}",
    "booking_id": "booking_id = {}",
    "cause": "cause = {}",
    "currency": "currency = {}",
    "resolution": "resolution = {}",
    "amount_min": "abs(amount) >= {}::bigint",
    "first_seen_from": "first_seen_at >= {}",
    "first_seen_to": "first_seen_at < {}",
    "q": "strpos(title_search, lower({} COLLATE pg_c_utf8)) > 0",
}
_FACTS = {"regressed": "regressions > 0", "escalated": "escalated_at IS NOT NULL"}

_OVERDUE = """
coalesce(
    CASE WHEN acknowledged_after IS NULL THEN
        clock_counted + ({at} - clock_running_since) >= least({acknowledge}, {resolve})
    ELSE clock_counted + ({at} - clock_running_since) >= {resolve} END,
    false
)
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows of `exception`, with the values of its parameters from $1 on."""

    sql: str
    arguments: tuple[Any, ...]


def condition_of(query: ExceptionFilter, reading: Reading) -> Condition:
    """Return the condition that the filter's exceptions meet, and no others."""
    arguments: list[Any] = []

    def place(value: Any) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    parts = ["NOT superseded", f"waiting IS {'NOT ' if query.waiting else ''}NULL"]
    if query.unresolved or query.status not in (None, "resolved") or query.overdue:
        parts.append("status <> 'resolved'")  # an index's own condition: lets a cached plan use it
    if query.severity is not None:
        rank = SEVERITIES.index(cast("Severity", query.severity)) + 1
        parts.append(f"severity_rank = {rank}")  # first column of the list's index
    parts += [
        condition.format(place(value))
        for field, condition in _WITH_VALUE.items()
        if (value := getattr(query, field)) is not None
    ]
    parts += [
        condition if value else f"NOT ({condition})"
        for field, condition in _FACTS.items()
        if (value := getattr(query, field)) is not None
    ]
    if query.assignee is not None:
        parts.append(
            "assignee IS NULL" if query.assignee == NOBODY else f"assignee = {place(query.assignee)}"
        )
    if query.resolved_by is not None:
        parts.append("resolved_by_machine" if query.resolved_by == "machine" else "NOT resolved_by_machine")
    if query.overdue is not None:
        parts.append(f"{'' if query.overdue else 'NOT '}{overdue_sql(reading, place)}")
    return Condition(" AND ".join(f"({part})" for part in parts), tuple(arguments))


def overdue_sql(reading: Reading, place: Callable[[Any], str]) -> str:
    """Return the condition of exceptions of which one of the two times is over."""
    return _OVERDUE.format(
        at=f"{place(reading.at)}::timestamptz",
        acknowledge=by_severity(reading.targets.acknowledge, place),
        resolve=by_severity(reading.targets.resolve, place),
    ).strip()


def by_severity(targets: Mapping[Severity, timedelta], place: Callable[[Any], str]) -> str:
    """Return an expression for the target of a row's severity."""
    cases = [f"WHEN '{severity}' THEN {place(targets[severity])}::interval" for severity in SEVERITIES]
    return f"CASE severity {' '.join(cases)} END"
