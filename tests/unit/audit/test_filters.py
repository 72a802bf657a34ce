from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.filters import EntryFilter, FilterError, Position, entry_filter, narrowest

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOTHING = dict.fromkeys(
    [
        "event_type",
        "status",
        "source",
        "booking_id",
        "event_id",
        "actor",
        "recorded_from",
        "recorded_to",
        "text",
    ]
)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 2**63 - 1))
def test_position_survives_its_cursor(recorded_at: datetime, entry_id: int) -> None:
    position = Position(recorded_at, entry_id)
    assert Position.from_key(*position.to_key()) == position


@given(st.integers(), st.integers())
def test_any_forged_cursor_is_a_position_or_refused(microseconds: int, entry_id: int) -> None:
    with suppress(FilterError):
        position = Position.from_key(microseconds, entry_id)
        assert 0 < position.entry_id < 2**63


@pytest.mark.parametrize("microseconds", [10**18, -(10**18), 10**400])
def test_cursor_beyond_the_calendar_is_refused(microseconds: int) -> None:
    with pytest.raises(FilterError, match="cursor"):
        Position.from_key(microseconds, 1)


def test_no_filter_means_every_entry() -> None:
    assert entry_filter(**NOTHING) == EntryFilter()


def test_filters_are_spelled_as_entries_are() -> None:
    query = entry_filter(
        **{
            **NOTHING,
            "source": "/webhooks/stripe",
            "booking_id": "0199A000-0000-7000-8000-000000000001",
            "recorded_from": datetime(2026, 11, 23, 6, tzinfo=timezone(timedelta(hours=-6))),
            "text": "a\0b",
        }
    )
    assert query.source == "stripe"
    assert query.booking_id == "0199a000-0000-7000-8000-000000000001"
    assert query.recorded_from == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert query.text == "a\ufffdb"


def test_time_without_an_offset_is_refused_by_name() -> None:
    with pytest.raises(FilterError, match=r"from: .*offset"):
        entry_filter(**{**NOTHING, "recorded_from": datetime(2026, 11, 23)})  # noqa: DTZ001 - what it is about


@pytest.mark.parametrize(("year", "offset_hours"), [(1, 14), (9999, -14)])
def test_time_that_utc_cannot_express_is_refused(year: int, offset_hours: int) -> None:
    month, day, hour = (1, 1, 0) if year == 1 else (12, 31, 23)
    moment = datetime(year, month, day, hour, tzinfo=timezone(timedelta(hours=offset_hours)))
    with pytest.raises(FilterError, match="to: "):
        entry_filter(**{**NOTHING, "recorded_to": moment})


@pytest.mark.parametrize(("hours", "keeps_position"), [(1, True), (0, False), (-1, False)])
def test_page_of_newest_first_has_one_upper_bound(hours: int, keeps_position: bool) -> None:
    after = Position(AT, 7)
    query = EntryFilter(recorded_to=AT + timedelta(hours=hours))
    expected = (EntryFilter(), after) if keeps_position else (query, None)
    assert narrowest(query, after, newest_first=True) == expected


@pytest.mark.parametrize(("hours", "keeps_position"), [(1, False), (0, True), (-1, True)])
def test_page_of_oldest_first_has_one_lower_bound(hours: int, keeps_position: bool) -> None:
    after = Position(AT, 7)
    query = EntryFilter(recorded_from=AT + timedelta(hours=hours))
    expected = (EntryFilter(), after) if keeps_position else (query, None)
    assert narrowest(query, after, newest_first=False) == expected
