"""Requests that have no price say so in one line; those that have one obey a few laws."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import InvalidPriceRequestError, PriceRequest, UnknownServiceError, price
from pricing.inputs import PETS_MAX, STAY_DAYS_MAX, VISITS_MAX, YEAR_MAX
from unit.pricing.pricing_cases import CARD, SERVICES, at, requests, stay_request, visit_request, visits_of

GOOD = stay_request("drop-in", 1)
START = GOOD.starts_at
NAIVE = START.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"pets": 0}, "pets", id="no pet"),
        pytest.param({"pets": -1}, "pets", id="negative pets"),
        pytest.param({"pets": PETS_MAX + 1}, "pets", id="too many pets"),
        pytest.param({"starts_at": NAIVE}, "starts_at", id="start without offset"),
        pytest.param({"ends_at": NAIVE}, "ends_at", id="end without offset"),
        pytest.param({"ends_at": START}, "ends_at", id="no length"),
        pytest.param({"ends_at": START - timedelta(seconds=1)}, "ends_at", id="end before start"),
        pytest.param({"ends_at": START + timedelta(days=STAY_DAYS_MAX, hours=1)}, "ends_at", id="too long"),
        pytest.param({"starts_at": datetime.min.replace(tzinfo=UTC)}, "starts_at", id="out of range"),
        pytest.param({"starts_at": at(date(1999, 12, 31), 10)}, "starts_at", id="too early"),
        pytest.param({"ends_at": at(date(YEAR_MAX + 1, 1, 1), 10)}, "ends_at", id="too late"),
        pytest.param({"visits": visits_of(30) * (VISITS_MAX + 1)}, "visits", id="too many visits"),
        pytest.param({"visits": (*visits_of(30), (START, START))}, "visits.1.ends_at", id="empty visit"),
        pytest.param({"visits": ((NAIVE, START),)}, "visits.0.starts_at", id="visit without offset"),
        pytest.param({"time_zone": "Mars/Olympus"}, "time_zone", id="unknown zone"),
        pytest.param({"time_zone": "America"}, "time_zone", id="a folder of zones"),
        pytest.param({"time_zone": "../../etc/passwd"}, "time_zone", id="a path"),
        pytest.param({"time_zone": "UTC\0\n"}, "time_zone", id="control characters"),
    ],
)
def test_request_without_a_price_names_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPriceRequestError) as caught:
        price(replace(GOOD, **change), CARD)
    assert str(caught.value).startswith(f"{field}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"pets": PETS_MAX}, id="most pets"),
        pytest.param({"visits": visits_of(30) * VISITS_MAX}, id="most visits"),
        pytest.param({"ends_at": (START.astimezone(UTC) + timedelta(days=STAY_DAYS_MAX))}, id="longest stay"),
    ],
)
def test_request_at_a_limit_has_a_price(change: dict[str, Any]) -> None:
    assert price(replace(GOOD, **change), CARD).total > 0


@pytest.mark.parametrize("holiday", [None, True, False])
def test_unknown_service_lists_the_known_ones(*, holiday: bool | None) -> None:
    with pytest.raises(UnknownServiceError, match="drop-in") as caught:
        price(replace(GOOD, service="grooming\n", holiday=holiday), CARD)
    assert list(caught.value.known) == SERVICES
    assert "\n" not in str(caught.value)


@given(requests())
def test_total_is_the_sum_of_lines_that_are_products(request_: PriceRequest) -> None:
    quote = price(request_, CARD)
    assert quote.total == sum(line.quantity * line.unit_amount for line in quote.lines)
    assert all(line.amount == line.quantity * line.unit_amount for line in quote.lines)
    assert quote.total > 0


@given(requests(), st.integers(1, PETS_MAX))
def test_more_pets_are_never_cheaper(request_: PriceRequest, pets: int) -> None:
    fewer, more = sorted((request_.pets, pets))
    assert price(replace(request_, pets=fewer), CARD).total <= price(replace(request_, pets=more), CARD).total


@given(requests(), st.randoms(use_true_random=False))
def test_order_of_visits_does_not_matter(request_: PriceRequest, random: Any) -> None:
    shuffled = list(request_.visits)
    random.shuffle(shuffled)
    assert price(replace(request_, visits=tuple(shuffled)), CARD) == price(request_, CARD)


@given(requests())
def test_offset_a_time_is_written_in_does_not_matter(request_: PriceRequest) -> None:
    in_utc = replace(
        request_,
        starts_at=request_.starts_at.astimezone(UTC),
        ends_at=request_.ends_at.astimezone(UTC),
        visits=tuple((start.astimezone(UTC), end.astimezone(UTC)) for start, end in request_.visits),
    )
    assert price(in_utc, CARD) == price(request_, CARD)


def test_each_visit_of_a_service_is_charged() -> None:
    one, three = visit_request("dog-walking", 30), visit_request("dog-walking", 30, 30, 30)
    assert price(three, CARD).total == 3 * price(one, CARD).total
