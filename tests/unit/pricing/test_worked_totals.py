"""The totals that the requirements work out by hand, and how they come about."""

import pytest

from pricing import Line, PriceRequest, price
from unit.pricing.pricing_cases import CARD, stay_request, visit_request


@pytest.mark.parametrize(
    ("request_", "total"),
    [
        pytest.param(visit_request("drop-in", 30, 60, 30, pets=3, holiday=True), 13200, id="drop-ins"),
        pytest.param(visit_request("dog-walking", 60), 3200, id="dog walk of an hour"),
        pytest.param(visit_request("pet-taxi", 20, 20, pets=2, holiday=True), 8000, id="pet taxi"),
        pytest.param(visit_request("drop-in", 45), 2000, id="drop-in of 45 minutes"),
        pytest.param(stay_request("housesitting", 2, 3, holiday=True), 25000, id="housesitting"),
        pytest.param(stay_request("24-7-care", 1), 12000, id="24/7 care"),
    ],
)
def test_worked_example_has_its_total(request_: PriceRequest, total: int) -> None:
    quote = price(request_, CARD)
    assert (quote.total, quote.currency) == (total, "USD")


def test_visits_with_every_add_on_show_each_as_a_line() -> None:
    quote = price(visit_request("drop-in", 30, 60, 30, pets=3, holiday=True), CARD)
    assert quote.lines == (
        Line("visit", "Drop-in visit", 2, 2000, 4000),
        Line("long_visit", "Drop-in visit, 60 minutes or more", 1, 3200, 3200),
        Line("extra_pet", "Extra pet", 6, 500, 3000),
        Line("holiday", "Holiday", 3, 1000, 3000),
    )


def test_one_pet_and_no_holiday_leave_no_empty_lines() -> None:
    quote = price(stay_request("24-7-care", 1, holiday=False), CARD)
    assert [line.code for line in quote.lines] == ["night"]


@pytest.mark.parametrize(("minutes", "total"), [(59, 2000), (60, 3200), (61, 3200), (600, 3200)])
@pytest.mark.parametrize("service", ["drop-in", "dog-walking"])
def test_visit_of_an_hour_or_more_takes_the_long_rate(service: str, minutes: int, total: int) -> None:
    assert price(visit_request(service, minutes), CARD).total == total


def test_pet_taxi_of_hours_keeps_its_one_rate() -> None:
    assert price(visit_request("pet-taxi", 180), CARD).total == 2000


def test_booking_without_visits_is_itself_the_one_visit() -> None:
    listed = visit_request("drop-in", 60)
    bare = PriceRequest(service="drop-in", starts_at=listed.starts_at, ends_at=listed.ends_at)
    assert price(bare, CARD) == price(listed, CARD)


def test_visits_of_a_stay_cost_nothing() -> None:
    stay = stay_request("housesitting", 2)
    timetable = visit_request("housesitting", 30, 60, 30).visits
    listed = PriceRequest(
        service="housesitting", starts_at=stay.starts_at, ends_at=stay.ends_at, visits=timetable
    )
    assert price(listed, CARD) == price(stay, CARD)
