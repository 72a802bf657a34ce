"""Nights and holidays are days of the business's calendar, wherever the server stands."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest

from pricing import PriceRequest, Quote, price
from pricing.holiday_calendar import holidays_among
from pricing.inputs import YEAR_MAX
from pricing.published_cards import published_cards
from pricing.rate_card import HolidayRule
from unit.pricing.pricing_cases import CARD, CHICAGO, at, stay_request, visit_request

INDEPENDENCE_DAY = date(2025, 7, 4)


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Chicago", "Pacific/Honolulu"])
def server_time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def quantity(quote: Quote, code: str) -> int:
    return sum(line.quantity for line in quote.lines if line.code == code)


@pytest.mark.usefixtures("server_time_zone")
@pytest.mark.parametrize(
    "written_in", [CHICAGO, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))], ids=str
)
@pytest.mark.parametrize(
    ("starts_at", "ends_at", "nights"),
    [
        pytest.param(at(date(2025, 3, 8), 10), at(date(2025, 3, 10), 10), 2, id="47 hours in spring"),
        pytest.param(at(date(2025, 3, 8), 23, 30), at(date(2025, 3, 10), 0, 30), 2, id="24 hours in spring"),
        pytest.param(at(date(2025, 11, 1), 10), at(date(2025, 11, 3), 10), 2, id="49 hours in autumn"),
        pytest.param(at(date(2025, 11, 2), 0, 0), at(date(2025, 11, 2), 23, 59), 1, id="25-hour day"),
        pytest.param(at(date(2025, 6, 1), 8), at(date(2025, 6, 1), 20), 1, id="same day"),
        pytest.param(at(date(2025, 6, 1), 23, 59), at(date(2025, 6, 2), 0, 1), 1, id="over midnight"),
    ],
)
def test_nights_are_local_calendar_days(
    starts_at: datetime, ends_at: datetime, nights: int, written_in: tzinfo
) -> None:
    request = PriceRequest(
        service="housesitting",
        starts_at=starts_at.astimezone(written_in),
        ends_at=ends_at.astimezone(written_in),
    )
    quote = price(request, CARD)
    assert (quantity(quote, "night"), quote.total) == (nights, nights * 8000)


def test_another_business_time_zone_counts_its_own_days() -> None:
    starts_at, ends_at = datetime(2025, 6, 1, 3, tzinfo=UTC), datetime(2025, 6, 2, 6, tzinfo=UTC)
    for zone, nights in (("UTC", 1), ("America/Chicago", 2), ("America/Los_Angeles", 1)):
        request = PriceRequest(service="24-7-care", starts_at=starts_at, ends_at=ends_at, time_zone=zone)
        assert quantity(price(request, CARD), "night") == nights, zone


@pytest.mark.parametrize("minute", [30, 59])
def test_length_of_a_visit_is_time_that_passes_when_clocks_change(minute: int) -> None:
    """From 01:30 to 03:30 on the clock is one hour on 9 March; from 01:59 to 03:00 it is one minute."""
    starts_at = at(date(2025, 3, 9), 1, minute)
    ends_at = at(date(2025, 3, 9), 3, (minute + 1) % 60 if minute == 59 else minute)
    total = price(PriceRequest(service="drop-in", starts_at=starts_at, ends_at=ends_at), CARD).total
    assert total == (2000 if minute == 59 else 3200)


def test_nights_that_begin_on_a_holiday_carry_it() -> None:
    quote = price(stay_request("housesitting", 3, first=date(2025, 7, 3)), CARD)
    assert quantity(quote, "holiday") == 1
    assert quote.total == 3 * 8000 + 2500


def test_holiday_of_the_departure_day_is_not_charged() -> None:
    quote = price(stay_request("housesitting", 2, first=date(2025, 7, 2)), CARD)
    assert quantity(quote, "holiday") == 0


def test_visit_on_the_eve_by_local_time_is_no_holiday_though_utc_says_so() -> None:
    eve = PriceRequest(
        service="drop-in", starts_at=at(date(2025, 7, 3), 22), ends_at=at(date(2025, 7, 3), 23)
    )
    assert eve.starts_at.astimezone(UTC).date() == INDEPENDENCE_DAY
    assert quantity(price(eve, CARD), "holiday") == 0


@pytest.mark.parametrize(("holiday", "charged"), [(None, 1), (True, 3), (False, 0)])
def test_explicit_holiday_overrules_the_calendar(*, holiday: bool | None, charged: int) -> None:
    request = stay_request("housesitting", 3, first=date(2025, 7, 3), holiday=holiday)
    assert quantity(price(request, CARD), "holiday") == charged


def test_explicit_holiday_counts_every_visit() -> None:
    assert quantity(price(visit_request("drop-in", 30, 30, holiday=True), CARD), "holiday") == 2


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 11, 26), date(2031, 11, 27), date(2027, 5, 31), date(2040, 9, 3), date(2099, 12, 25),
    ],
)  # fmt: skip
def test_movable_and_far_holidays_are_found(day: date) -> None:
    assert holidays_among([day], CARD.holidays) == (day,)


def test_weekday_that_offices_close_on_instead_is_no_holiday() -> None:
    friday, saturday = date(2026, 7, 3), date(2026, 7, 4)
    assert holidays_among([friday, saturday], CARD.holidays) == (saturday,)


def test_card_charges_only_the_holidays_that_it_names() -> None:
    rule = HolidayRule(country="US", names=("Independence Day (observed)",))
    assert holidays_among([date(2026, 7, 3), date(2026, 7, 4), date(2026, 12, 25)], rule) == (
        date(2026, 7, 3),
    )


def test_every_holiday_of_every_card_is_in_the_calendar_every_year() -> None:
    """A holiday that the calendar renames would silently cost nothing; here it fails instead."""
    for card in published_cards().versions.values():
        for year in range(2022, YEAR_MAX + 1):
            days = [date(year, 1, 1) + timedelta(days=day) for day in range(365)]
            for name in card.holidays.names:
                rule = HolidayRule(country=card.holidays.country, names=(name,))
                assert holidays_among(days, rule), (
                    f"{card.file_name}: {name} is not in the calendar of {year}"
                )
