"""The exception filter: query strings and JSON take the same members, and refuse the same."""

from typing import Any

import pytest

from reconciler.domain.filter_members import (
    MEMBERS,
    FilterError,
    members_of_query,
    parse_members,
    to_members,
)
from reconciler.domain.filters import ExceptionFilter

EVERY_MEMBER: dict[str, str] = {
    "type": "pricing_drift",
    "class": "engine_drift",
    "status": "suppressed",
    "severity": "high",
    "assignee": "nobody",
    "booking_id": "b-1",
    "cause": "0f" * 16,
    "currency": "USD",
    "waiting": "true",
    "overdue": "false",
    "regressed": "true",
    "escalated": "false",
    "resolved_by": "person",
    "resolution": "written_off",
    "amount_min": "5000",
    "first_seen_from": "2026-12-01T00:00:00+02:00",
    "first_seen_to": "2026-12-02T00:00:00Z",
    "q": "100%_\\",
}


def test_members_survive_the_way_through_a_view() -> None:
    assert set(EVERY_MEMBER) == set(MEMBERS)
    query = parse_members(members_of_query(EVERY_MEMBER))
    assert query.amount_min == 5000
    assert query.waiting is True
    assert parse_members(to_members(query)) == query
    assert len(to_members(query)) == len(MEMBERS)
    assert to_members(ExceptionFilter()) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("typ", "pricing_drift"),
        ("type", "x"),
        ("type", ["pricing_drift"]),
        ("class", None),
        ("waiting", 1),
        ("waiting", "yes"),
        ("amount_min", True),
        ("amount_min", -1),
        ("amount_min", "1_000"),
        ("amount_min", 2**63),
        ("currency", "usd"),
        ("cause", "0F" * 16),
        ("first_seen_from", "2026-12-01"),
        ("q", " "),
        ("q", "x" * 10_000),
        ("assignee", {"$ne": 1}),
    ],
)
def test_wrong_member_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(FilterError) as refused:
        parse_members({"status": "open", name: value})
    assert refused.value.member == name
    if isinstance(value, str) and name in MEMBERS:
        with pytest.raises(FilterError):
            parse_members(members_of_query({name: value}))
