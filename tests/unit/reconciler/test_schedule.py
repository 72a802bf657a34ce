from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.exploring import examples
from reconciler.domain.runs import run_id_of_slot
from reconciler.domain.schedule import (
    DueSlots,
    InvalidScheduleError,
    check_cron,
    due_slots,
    slots,
)

CHICAGO = ZoneInfo("America/Chicago")
DAY = timedelta(days=1)
ZONES = [
    "America/Chicago", "America/New_York", "America/Havana", "America/Santiago", "America/Sao_Paulo",
    "Europe/Berlin", "Europe/London", "Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Asia/Tokyo",
    "Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Auckland", "Pacific/Kiritimati", "UTC",
]  # fmt: skip
YEAR_BEGINS, YEAR_ENDS = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC)


def due(cron: str, day: date, zone: ZoneInfo = CHICAGO) -> list[str]:
    """Return the slots of a local day, as UTC times of day."""
    midnight = datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(UTC)
    next_midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    instant = timedelta(microseconds=1)
    return [
        slot.strftime("%H:%M")
        for slot in slots(cron, zone, after=midnight - instant, until=next_midnight.astimezone(UTC) - instant)
    ]


@pytest.mark.parametrize("day", [date(2025, 3, 9), date(2026, 3, 8), date(2027, 3, 14)])
def test_time_that_does_not_exist_fires_at_the_first_moment_after_it(day: date) -> None:
    assert due("0 2 * * *", day) == ["08:00"]  # 03:00 daylight time
    assert due("30 2 * * *", day) == ["08:00"]
    assert due("59 1 * * *", day) == ["07:59"]
    assert due("0 3 * * *", day) == ["08:00"]


@pytest.mark.parametrize("day", [date(2025, 11, 2), date(2026, 11, 1), date(2027, 11, 7)])
def test_time_that_exists_twice_fires_once(day: date) -> None:
    assert due("30 1 * * *", day) == ["06:30"]  # daylight time, the first of the two
    assert due("0 1 * * *", day) == ["06:00"]
    assert due("0 2 * * *", day) == ["08:00"]  # standard time, there is only one 02:00


def test_times_that_fall_on_one_moment_are_one_slot() -> None:
    assert due("0 2,3 * * *", date(2026, 3, 8)) == ["08:00"]
    assert due("*/15 2 * * *", date(2026, 3, 8)) == ["08:00"]


def test_second_of_two_equal_hours_fires_nothing_again() -> None:
    in_the_second = datetime(2026, 11, 1, 7, 10, tzinfo=UTC)  # 01:10 standard time
    due_slots = list(
        slots("30 1 * * *", CHICAGO, after=in_the_second, until=in_the_second + timedelta(hours=20))
    )
    assert due_slots == []


@pytest.mark.explores
@pytest.mark.parametrize("name", ZONES)
@settings(max_examples=examples(100, least=4), deadline=None)
@given(hour=st.integers(0, 3) | st.integers(0, 23), minute=st.integers(0, 59))
def test_daily_schedule_has_one_slot_on_every_local_day(name: str, hour: int, minute: int) -> None:
    zone = ZoneInfo(name)
    due_slots = list(slots(f"{minute} {hour} * * *", zone, after=YEAR_BEGINS, until=YEAR_ENDS))
    days = Counter(slot.astimezone(zone).date() for slot in due_slots)
    assert set(days.values()) == {1}
    first, last = min(days), max(days)
    assert len(days) == (last - first).days + 1
    assert (last - first).days >= 365 * 3 - 3


@pytest.mark.explores
@pytest.mark.parametrize(
    "name", ["America/Chicago", "America/Havana", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe"]
)
def test_years_of_slots_are_those_of_a_walk_through_time(name: str) -> None:
    zone, crons = ZoneInfo(name), {"0 2 * * *": (2, 0), "30 1 * * *": (1, 30), "0 0 * * *": (0, 0)}
    begins, quarters = datetime(2020, 1, 1, tzinfo=UTC), examples(10, least=1) * 366 * 24 * 4
    # Clocks change at quarters of an hour. A day's slot is its first moment that is not before the time.
    first: dict[tuple[str, date], datetime] = {}
    for quarter in range(quarters):
        moment = begins + quarter * timedelta(minutes=15)
        local = moment.astimezone(zone)
        for cron, time in crons.items():
            if (local.hour, local.minute) >= time:
                first.setdefault((cron, local.date()), moment)
    ends = begins + quarters * timedelta(minutes=15)
    for cron in crons:
        # The first and the last day of the walk may have begun before it, or end after it.
        walked = [moment for (of, _), moment in first.items() if of == cron][1:-1]
        assert list(slots(cron, zone, after=walked[0] - timedelta(seconds=1), until=walked[-1])) == walked
        assert walked[-1] < ends


@settings(deadline=None)
@given(
    moment=st.integers(0, 3 * 365 * 24 * 60).map(lambda count: YEAR_BEGINS + timedelta(minutes=count)),
    cron=st.sampled_from(["0 2 * * *", "30 1 * * *", "*/20 * * * *", "0 1,2,3 * * 0"]),
    minutes=st.integers(1, 3000),
)
def test_windows_side_by_side_miss_nothing_and_fire_nothing_twice(
    moment: datetime, cron: str, minutes: int
) -> None:
    end = moment + timedelta(days=3)
    middle = min(moment + timedelta(minutes=minutes), end)
    halves = [
        *slots(cron, CHICAGO, after=moment, until=middle),
        *slots(cron, CHICAGO, after=middle, until=end),
    ]
    assert halves == list(slots(cron, CHICAGO, after=moment, until=end))


def test_slots_missed_while_down_leave_only_the_latest() -> None:
    now = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
    due = due_slots("0 2 * * *", CHICAGO, since=now - timedelta(days=9), now=now, lateness=DAY)
    today = datetime(2026, 6, 10, 7, 0, tzinfo=UTC)
    assert due == DueSlots(today, tuple(today - days * DAY for days in range(8, 0, -1)))


def test_slot_missed_long_ago_is_not_made_up_for() -> None:
    now = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
    missed = now - timedelta(hours=5, minutes=1)
    cron = f"{missed.minute} {missed.hour} {missed.day} {missed.month} *"
    for hours, expected in ((5, DueSlots(None, (missed,))), (6, DueSlots(missed))):
        lateness = timedelta(hours=hours)
        due = due_slots(cron, ZoneInfo("UTC"), since=now - timedelta(days=9), now=now, lateness=lateness)
        assert due == expected


def test_slots_before_the_schedule_was_in_force_were_not_missed() -> None:
    now = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
    due = due_slots("0 2 * * *", CHICAGO, since=now - timedelta(hours=1), now=now, lateness=DAY)
    assert due == DueSlots(None)


def test_slot_has_one_run_id_whatever_zone_it_is_written_in() -> None:
    slot = datetime(2026, 6, 10, 7, 0, tzinfo=UTC)
    assert run_id_of_slot(slot) == run_id_of_slot(slot.astimezone(CHICAGO))
    assert run_id_of_slot(slot) != run_id_of_slot(slot + timedelta(days=1))


@pytest.mark.parametrize(
    "cron", ["", "0 2 * *", "0 0 2 * * *", "61 2 * * *", "0 25 * * *", "a b c d e", "0 0 31 2 *"]
)
def test_expression_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(InvalidScheduleError):
        check_cron(cron)
