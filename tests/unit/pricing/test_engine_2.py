"""Engine 2: units, included pets, conditions, decimal percents, and rounding half to even."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import (
    InvalidPriceRequestError,
    InvalidRateCardError,
    Line,
    PriceRequest,
    UnknownEngineVersionError,
    UnsuitableEngineError,
    price,
    rate_card,
    snapshot,
)
from pricing.adjustments import RATE_MINOR_UNITS_MAX, Adjustment, Discount, Fee, Tax
from pricing.card_reader import parse_card
from pricing.inputs import PETS_MAX, VISITS_MAX
from pricing.quotes import AMOUNT_MINOR_UNITS_MAX
from pricing.rate_card import RateCard, Service
from unit.pricing.pricing_cases import CARD, NO_HOLIDAY, at, requests, stay_request, visit_request

EXAMPLE = rate_card("example", "2026-01")
FILE = "test-1.toml"
CARD_TEXT = """
id = "test"
version = "1"
engine = 2
currency = "USD"
time_zone = "America/Chicago"
holidays = { country = "US", names = ["Christmas Day"] }
[services.walk]
title = "Walk"
unit = "visit"
base_amount = 1999
extra_pet_amount = 1
holiday_amount = 0
"""


def test_visits_of_the_example_card_have_every_line() -> None:
    """18925 of discounted visits and 625 of travel: 7.25 % of 19550 are 1417.375."""
    quote = price(visit_request("drop-in", 30, 30, 60, 30, 30, pets=3, holiday=True), EXAMPLE)
    assert quote.lines == (
        Line("visit", "Drop-in visit", 4, 2150, 8600),
        Line("long_visit", "Drop-in visit, 60 minutes or more", 1, 3450, 3450),
        Line("extra_pet", "Extra pet", 5, 525, 2625),
        Line("holiday", "Holiday", 5, 1000, 5000),
        Line("discount:five_visits", "Five visits or more", 1, -750, -750),
        Line("fee:travel", "Travel", 5, 125, 625),
        Line("tax:sales", "Sales tax", 1, 1417, 1417),
    )


@pytest.mark.parametrize(
    ("request_", "total"),
    [
        pytest.param(stay_request("housesitting", 7, 2), 58294, id="week with a discount"),
        pytest.param(stay_request("housesitting", 6, 2), 55518, id="six nights without"),
        pytest.param(visit_request("training", 61, 30, pets=2), 21313, id="three started hours"),
        pytest.param(visit_request("consultation", 30, 30, pets=3), 3754, id="fixed price"),
    ],
)
def test_example_card_has_the_totals_worked_out_by_hand(request_: PriceRequest, total: int) -> None:
    assert price(request_, EXAMPLE).total == total


@pytest.mark.parametrize(("minutes", "hours"), [(1, 1), (60, 1), (61, 2), (120, 2), (600, 10)])
def test_hours_are_started_hours(minutes: int, hours: int) -> None:
    assert price(visit_request("training", minutes), EXAMPLE).lines[0].quantity == hours


def test_holiday_add_on_counts_the_hours_of_visits_on_the_holiday() -> None:
    eve, day = at(date(2026, 7, 3), 9), at(date(2026, 7, 4), 9)
    request = PriceRequest(
        service="training",
        starts_at=eve,
        ends_at=day + timedelta(hours=3),
        visits=((eve, eve + timedelta(hours=2)), (day, day + timedelta(hours=3))),
    )
    assert Line("holiday", "Holiday", 3, 2000, 6000) in price(request, EXAMPLE).lines


@pytest.mark.parametrize(("pets", "extra"), [(1, 0), (2, 0), (3, 1)])
def test_included_pets_are_no_extra_pets(pets: int, extra: int) -> None:
    lines = price(visit_request("drop-in", 30, pets=pets), EXAMPLE).lines
    assert sum(line.quantity for line in lines if line.code == "extra_pet") == extra


@pytest.mark.parametrize(("pets", "share"), [(1, 1000), (2, 1000), (3, 1000), (4, 1001), (5, 1002)])
def test_share_is_rounded_half_to_even(pets: int, share: int) -> None:
    """Half of 1999 is 999.5, of 2001 1000.5, of 2002 1001, of 2003 1001.5."""
    card = parse_card(FILE, CARD_TEXT + '[[discounts]]\ncode = "half"\ndescription = "H"\npercent = "50"\n')
    assert price(visit_request("walk", 30, pets=pets), card).lines[-1].amount == -share


def test_share_of_less_than_a_basis_point_is_exact() -> None:
    tax = '[[taxes]]\ncode = "t"\ndescription = "T"\npercent = "8.8751"\n'
    # 8.8751 % of 1999 are 177.413249
    assert price(visit_request("walk", 30), parse_card(FILE, CARD_TEXT + tax)).lines[-1].amount == 177


@given(requests())
def test_engine_2_prices_a_card_of_engine_1_alike(request_: PriceRequest) -> None:
    assert price(request_, CARD, 2) == price(request_, CARD, 1) == price(request_, CARD)


def test_card_decides_which_engine_prices() -> None:
    assert snapshot(stay_request("housesitting", 1), CARD).engine_version == 1
    assert snapshot(stay_request("housesitting", 1), EXAMPLE).engine_version == 2


def test_engine_older_than_the_card_is_refused() -> None:
    with pytest.raises(UnsuitableEngineError, match="example/2026-01 needs engine 2, not 1"):
        price(stay_request("housesitting", 1), EXAMPLE, 1)
    with pytest.raises(UnknownEngineVersionError, match="known are 1, 2"):
        price(stay_request("housesitting", 1), EXAMPLE, 3)


@pytest.mark.parametrize(
    ("addition", "key"),
    [
        pytest.param(
            '[[taxes]]\ncode = "t"\ndescription = "T"\npercent = "7.25"\n', "taxes[0]", id="percent"
        ),
        pytest.param(
            '[[fees]]\ncode = "f"\ndescription = "F"\namount = 1\nper = "unit"\n', "fees[0]", id="per unit"
        ),
        pytest.param(
            '[[discounts]]\ncode = "d"\ndescription = "D"\namount = 1\nfrom_units = 2\n',
            "discounts[0]",
            id="condition",
        ),
        pytest.param(
            '[[fees]]\ncode = "f"\ndescription = "F"\namount = 1\nservices = ["walk"]\n',
            "fees[0]",
            id="some services",
        ),
        pytest.param("pets_included = 2\n", "services.walk", id="included pets"),
    ],
)
def test_card_of_engine_1_cannot_use_what_engine_1_does_not_read(addition: str, key: str) -> None:
    parse_card(FILE, CARD_TEXT + addition)
    with pytest.raises(InvalidRateCardError, match="needs engine = 2") as caught:
        parse_card(FILE, CARD_TEXT.replace("engine = 2", "engine = 1") + addition)
    assert str(caught.value).startswith(f"{FILE}: {key}: ")


@pytest.mark.parametrize(
    "value", ["7.25", '"7,25"', '"-1"', '"0"', '"100.5"', '"1e2"', '"NaN"', '"5\\n"', '""']
)
def test_percent_that_is_no_percent_is_refused(value: str) -> None:
    with pytest.raises(InvalidRateCardError, match=r"taxes\[0\]"):
        parse_card(FILE, CARD_TEXT + f'[[taxes]]\ncode = "t"\ndescription = "T"\npercent = {value}\n')


@pytest.mark.parametrize(
    "addition",
    [
        '[[fees]]\ncode = "f"\ndescription = "F"\npercent = "5"\nper = "unit"\n',
        '[[fees]]\ncode = "f"\ndescription = "F"\namount = 5\nservices = ["grooming"]\n',
        '[[fees]]\ncode = "f"\ndescription = "F"\namount = 5\npercent = "5"\n',
        '[[taxes]]\ncode = "f"\ndescription = "F"\namount = 5\nfrom_units = 2\n',
    ],
)
def test_adjustment_that_contradicts_itself_is_refused(addition: str) -> None:
    with pytest.raises(InvalidRateCardError, match=r"(fees|taxes)\[0\]"):
        parse_card(FILE, CARD_TEXT + addition)


def test_price_beyond_the_largest_amount_is_refused() -> None:
    dear = Service(
        title="T", unit="hour", base_amount=RATE_MINOR_UNITS_MAX, extra_pet_amount=10**9, holiday_amount=0
    )
    card = msgspec.structs.replace(EXAMPLE, services={"dear": dear}, discounts=(), fees=(), taxes=())
    year = at(NO_HOLIDAY, 9), at(NO_HOLIDAY + timedelta(days=365), 9)
    longest = PriceRequest(
        service="dear", starts_at=year[0], ends_at=year[1], visits=(year,) * VISITS_MAX, pets=PETS_MAX
    )
    with pytest.raises(InvalidPriceRequestError, match=f"total: .* more than {AMOUNT_MINOR_UNITS_MAX}"):
        price(longest, card)
    assert price(replace(longest, visits=(), pets=1), card).total < 2**53


_values = st.fixed_dictionaries({"amount": st.integers(1, 10**6)}) | st.fixed_dictionaries(
    {"percent": st.from_regex(r"[1-9][0-9]?(\.[0-9]{1,4})?", fullmatch=True)}
)


def _adjustments(form: type[Adjustment], **more: Any) -> Any:
    """Return a strategy of lists of adjustments with distinct codes."""
    fields = {"services": st.sampled_from([(), ("drop-in",), ("housesitting", "training")]), **more}
    built = st.builds(
        lambda code, value, rest: form(code=code, description="D", **value, **rest),
        st.sampled_from("abcd"),
        _values,
        st.fixed_dictionaries(fields),
    )
    return st.lists(built, max_size=3, unique_by=lambda adjustment: adjustment.code).map(tuple)


@st.composite
def cards(draw: st.DrawFn) -> RateCard:
    return msgspec.structs.replace(
        EXAMPLE,
        discounts=draw(_adjustments(Discount, from_units=st.integers(1, 5))),
        fees=draw(_adjustments(Fee)),
        taxes=draw(_adjustments(Tax)),
    )


@given(cards(), requests(), st.sampled_from(sorted(EXAMPLE.services)))
def test_lines_of_any_card_are_products_that_add_up(
    card: RateCard, request_: PriceRequest, service: str
) -> None:
    quote = price(replace(request_, service=service), card)
    assert quote.total == sum(line.amount for line in quote.lines)
    assert all(line.amount == line.quantity * line.unit_amount for line in quote.lines)
    assert all(type(line.amount) is int and line.quantity > 0 for line in quote.lines)
    assert quote.total >= 0
