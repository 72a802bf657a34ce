"""Members of the exception filter as clients write them.

One table holds all members: query strings take the same as the JSON of views and operations.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args

from contracts.metadata import format_time
from contracts.text import sanitize_for_postgres
from contracts.times import TimeError, read_time
from reconciler.domain.classify import SEVERITIES, DriftClass
from reconciler.domain.exceptions import EXCEPTION_STATUSES, RESOLUTIONS
from reconciler.domain.filters import RESOLVED_BY, ExceptionFilter
from reconciler.domain.findings import EXCEPTION_TYPES

TEXT_CHARACTERS_MAX = 200
AMOUNT_MAX = 2**63 - 1

_CAUSE = re.compile(r"[0-9a-f]{32}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_INTEGER = re.compile(r"[0-9]{1,19}")


class FilterError(ValueError):
    """A member is unknown or has an unknown value.

    Attributes:
        member: its name as the client wrote it.
        message: what is wrong with it.
        allowed: the values to choose from; empty where they are no list.
        others: further members that are wrong, as name and message.
    """

    def __init__(
        self,
        member: str,
        message: str,
        allowed: Sequence[str] = (),
        others: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(f"{member}: {message}")
        self.member = member
        self.message = message
        self.allowed = tuple(allowed)
        self.others = tuple(others)

    @property
    def first(self) -> tuple[str, str]:
        return self.member, self.message


class _ValueError(ValueError):
    """A value is refused; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member.

    Attributes:
        field: of ExceptionFilter.
        read: returns the field's value of a JSON value, or raises.
        from_text: returns the JSON value of a query parameter.
        allowed: the values, if they are a closed list.
    """

    field: str
    read: Callable[[Any], Any]
    from_text: Callable[[str], Any] = str
    allowed: tuple[str, ...] = ()


def _choice(field: str, allowed: Sequence[str]) -> Member:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise _ValueError(f"{str(value)[:80]!a} is unknown, choose one of {', '.join(allowed)}")
        return value

    return Member(field, read, allowed=tuple(allowed))


def _text(field: str, form: re.Pattern[str] | None = None, expected: str = "") -> Member:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise _ValueError("expected text that is not empty")
        if len(value) > TEXT_CHARACTERS_MAX:
            raise _ValueError(f"longer than {TEXT_CHARACTERS_MAX} characters")
        if form is not None and not form.fullmatch(value):
            raise _ValueError(f"expected {expected}")
        return sanitize_for_postgres(value)

    return Member(field, read)


def _boolean(field: str) -> Member:
    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise _ValueError("expected true or false")
        return value

    return Member(field, read, lambda text: {"true": True, "false": False}.get(text, text))


def _size(field: str) -> Member:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= AMOUNT_MAX:
            raise _ValueError("expected minor units, a whole number from 0 on")
        return value

    return Member(field, read, lambda text: int(text) if _INTEGER.fullmatch(text) else text)


def _time(field: str) -> Member:
    def read(value: Any) -> datetime:
        try:
            return read_time(value)
        except TimeError as error:
            raise _ValueError(str(error)) from None

    return Member(field, read)


MEMBERS: Mapping[str, Member] = {
    "type": _choice("type", EXCEPTION_TYPES),
    "class": _choice("drift_class", get_args(DriftClass)),
    "status": _choice("status", EXCEPTION_STATUSES),
    "severity": _choice("severity", SEVERITIES),
    "assignee": _text("assignee"),
    "booking_id": _text("booking_id"),
    "cause": _text("cause", _CAUSE, "the cause of a group, 32 hexadecimal digits"),
    "currency": _text("currency", _CURRENCY, "a code of three letters, such as USD"),
    "waiting": _boolean("waiting"),
    "overdue": _boolean("overdue"),
    "regressed": _boolean("regressed"),
    "escalated": _boolean("escalated"),
    "resolved_by": _choice("resolved_by", RESOLVED_BY),
    "resolution": _choice("resolution", RESOLUTIONS),
    "amount_min": _size("amount_min"),
    "first_seen_from": _time("first_seen_from"),
    "first_seen_to": _time("first_seen_to"),
    "q": _text("q"),
}
"""By name as clients write it."""


def members_of_query(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return query parameters as JSON values; `parse_members` refuses unknown ones and what stays text."""
    return {
        name: member.from_text(text) if (member := MEMBERS.get(name)) else text
        for name, text in parameters.items()
    }


def parse_members(members: Mapping[str, Any]) -> ExceptionFilter:
    """Return the filter of JSON members.

    Raises:
        FilterError: members are unknown or have unknown values; it names all of them.
    """
    values: dict[str, Any] = {}
    wrong: list[FilterError] = []
    for name, value in members.items():
        member = MEMBERS.get(name)
        if member is None:
            wrong.append(FilterError(name, f"unknown member, known: {', '.join(MEMBERS)}"))
            continue
        try:
            values[member.field] = member.read(value)
        except _ValueError as error:
            wrong.append(FilterError(name, str(error), member.allowed))
    if wrong:
        first, *others = wrong
        raise FilterError(
            first.member, first.message, first.allowed, [(each.member, each.message) for each in others]
        )
    return ExceptionFilter(**values)


def to_members(query: ExceptionFilter) -> dict[str, Any]:
    """Return the JSON members that `parse_members` reads as this filter."""
    defaults = {field.name: field.default for field in fields(ExceptionFilter)}
    members: dict[str, Any] = {}
    for name, member in MEMBERS.items():
        value = getattr(query, member.field)
        if value != defaults[member.field]:
            members[name] = format_time(value) if isinstance(value, datetime) else value
    return members
