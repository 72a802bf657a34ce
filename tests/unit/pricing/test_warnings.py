"""Odd requests are priced, and a person is told what is odd."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given

from pricing import InvalidPriceRequestError, PriceRequest, price, warnings
from unit.pricing.pricing_cases import CARD, at, requests, stay_request

MONDAY = date(2026, 6, 1)
BEFORE = at(MONDAY, 8)


def visit(day: int, hour: int, minutes: int = 30) -> tuple[datetime, datetime]:
    starts = at(MONDAY + timedelta(days=day), hour)
    return starts, starts + timedelta(minutes=minutes)


def booking(*visits: tuple[datetime, datetime], days: int = 4, service: str = "drop-in") -> PriceRequest:
    return PriceRequest(
        service=service,
        starts_at=at(MONDAY, 9),
        ends_at=at(MONDAY + timedelta(days=days), 20),
        visits=visits,
    )


def found(request: PriceRequest, moment: datetime = BEFORE) -> list[tuple[str, str]]:
    return [(warning.code, warning.field) for warning in warnings(request, CARD, at=moment)]


EVERY_DAY = tuple(visit(day, 10) for day in range(5))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(booking(*EVERY_DAY), [], id="visits every day"),
        pytest.param(booking(*EVERY_DAY[1:4]), [], id="days of arrival and departure may have none"),
        pytest.param(booking(*EVERY_DAY[:2]), [("days_without_visits", "visits")], id="days without visits"),
        pytest.param(booking(), [("visits_missing", "visits")], id="several days as one visit"),
        pytest.param(booking(days=0), [], id="one day is itself the visit"),
        pytest.param(booking(service="housesitting"), [], id="a stay needs no visits"),
        pytest.param(booking(visit(0, 10), service="housesitting"), [], id="a stay may have few visits"),
        pytest.param(
            booking(visit(0, 8), visit(0, 10), days=0),
            [("visit_outside_booking", "visits.0.starts_at")],
            id="before",
        ),
        pytest.param(
            booking(visit(0, 10), visit(0, 19, 90), days=0),
            [("visit_outside_booking", "visits.1.ends_at")],
            id="after",
        ),
        pytest.param(
            booking(visit(0, 11), visit(0, 10, 61), days=0),
            [("visits_overlap", "visits.0.starts_at")],
            id="overlap",
        ),
        pytest.param(booking(visit(0, 10, 60), visit(0, 11), days=0), [], id="back to back"),
        pytest.param(
            booking(visit(0, 10, 300), visit(0, 11), visit(0, 14), days=0),
            [("visits_overlap", "visits.1.starts_at"), ("visits_overlap", "visits.2.starts_at")],
            id="within a long one",
        ),
        pytest.param(
            booking(visit(0, 10), visit(0, 10), days=0),
            [("visits_overlap", "visits.1.starts_at")],
            id="the same twice",
        ),
    ],
)
def test_odd_request_is_told_and_priced(request_: PriceRequest, expected: list[tuple[str, str]]) -> None:
    assert found(request_) == expected
    assert price(request_, CARD).total > 0


def test_start_in_the_past_depends_on_the_moment() -> None:
    request = booking(*EVERY_DAY)
    assert found(request, request.starts_at) == []
    assert found(request, request.starts_at + timedelta(seconds=1)) == [("starts_in_past", "starts_at")]


def test_days_are_those_of_the_business() -> None:
    """01:00 UTC on Wednesday is Tuesday evening in Chicago."""
    evening = datetime(2026, 6, 3, 1, tzinfo=UTC), datetime(2026, 6, 3, 2, tzinfo=UTC)
    request = booking(visit(0, 10), evening, days=2)
    assert found(request) == []
    assert found(replace(request, time_zone="UTC")) == [("days_without_visits", "visits")]


def test_sentence_names_the_first_days_and_counts_the_rest() -> None:
    [warning] = warnings(booking(visit(0, 10), days=9), CARD, at=BEFORE)
    assert warning.message == (
        "Days without a visit: 2026-06-02, 2026-06-03, 2026-06-04, 2026-06-05, 2026-06-06 and 3 more."
    )


def test_request_without_a_price_has_no_warnings_either() -> None:
    with pytest.raises(InvalidPriceRequestError, match="pets"):
        warnings(replace(stay_request("drop-in", 1), pets=0), CARD, at=BEFORE)


@given(requests())
def test_every_priced_request_has_its_warnings(request_: PriceRequest) -> None:
    for warning in warnings(request_, CARD, at=BEFORE):
        assert warning.field.split(".")[0] in ("starts_at", "visits")
        assert warning.message.endswith(".")
        assert "\n" not in warning.message
