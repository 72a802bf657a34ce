"""What a run reads: texts of scopes, and the bounds of a month."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.scopes import ALL, YEAR_MAX, YEAR_MIN, Scope, ScopeError, month_bounds, parse_scope

MONTHS = st.tuples(st.integers(YEAR_MIN, YEAR_MAX), st.integers(1, 12))
SCOPES = (
    st.just(ALL)
    | st.uuids().map(lambda identifier: Scope(booking_id=str(identifier)))
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: Scope(since=moment))
    | MONTHS.map(lambda month: Scope(month=month))
)


@given(scope=SCOPES)
def test_text_of_a_scope_names_it(scope: Scope) -> None:
    assert parse_scope(str(scope)) == scope


@pytest.mark.parametrize(
    "text",
    [
        "", "ALL", "all:", ":", "booking", "booking:", "booking:7", "since:", "since:2026", "since:yesterday",
        "since:2026-11-01", "month:", "month:2026", "month:2026-00", "month:2026-13", "month:26-11",
        "month:0001-01", "month:9999-12", "week:1", "booking:\0", "month:٢٠٢٦-11", "x" * 10_000,
    ],
)  # fmt: skip
def test_text_that_names_no_scope_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ScopeError) as caught:
        parse_scope(text)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 300


@given(
    month=MONTHS, zone=st.sampled_from(["America/Chicago", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
)
def test_months_lie_side_by_side(month: tuple[int, int], zone: str) -> None:
    begins, ends = month_bounds(month, ZoneInfo(zone))
    assert begins.astimezone(ZoneInfo(zone)).timetuple()[:5] == (*month, 1, 0, 0)
    assert timedelta(days=27) < ends - begins < timedelta(days=32)
    year, number = month
    if (year, number) < (YEAR_MAX, 12):
        following = (year + number // 12, number % 12 + 1)
        assert month_bounds(following, ZoneInfo(zone))[0] == ends


def test_month_begins_at_midnight_of_the_business() -> None:
    begins, ends = month_bounds((2026, 11), ZoneInfo("America/Chicago"))
    assert begins == datetime(2026, 11, 1, 5, 0, tzinfo=UTC)  # daylight time ends on this day
    assert ends == datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
