"""Rate cards: published ones never change, wrong ones are refused with file and key."""

import hashlib
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from pricing import InvalidRateCardError, UnknownRateCardError, current_rate_card, price, rate_card
from pricing.card_reader import parse_card
from pricing.published_cards import published_cards
from unit.pricing.pricing_cases import stay_request, visit_request

PUBLISHED_SHA256 = {
    "default-2025-01.toml": "6968d39a612cdfc2cf2c6e2e2267f93b0c15aaafe0d016145c5c030b3588421f",
    "example-2025-01.toml": "e0cec8a8627432bf94d05ca9f5098d24719e91d1f9afe75ff1f414ddc4feb6b8",
    "example-2026-01.toml": "39c780a46b0197397959560f70bcdcffee625271bbaf0a660c42fad1d483c600",
}

FILE = "test-1.toml"
GOOD = """
id = "test"
version = "1"
currency = "EUR"
time_zone = "Europe/Berlin"
[holidays]
country = "US"
names = ["Christmas Day"]
[services.walk]
title = "Walk"
unit = "visit"
base_amount = 1999
long_visit_amount = 2500
long_visit_minutes = 60
extra_pet_amount = 1
holiday_amount = 0
[services.night]
title = "Night"
unit = "night"
base_amount = 5000
extra_pet_amount = 0
holiday_amount = 0
"""
DISCOUNT = '[[discounts]]\ncode = "loyal"\ndescription = "Loyalty"\nbasis_points = 750\n'


def test_published_cards_are_byte_for_byte_what_they_were() -> None:
    """Stored prices are recomputed from these files: publish a new version, never edit one."""
    folder = files("pricing").joinpath("rate_cards")
    found = {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in folder.iterdir()}
    assert found == PUBLISHED_SHA256, "a new card: add its line to PUBLISHED_SHA256"


def test_current_card_is_published() -> None:
    card = current_rate_card(datetime(2025, 3, 4, tzinfo=UTC))
    assert published_cards().versions[card.id, card.version] is card
    assert (card.id, card.version, card.currency, card.time_zone) == (
        "default",
        "2025-01",
        "USD",
        "America/Chicago",
    )


@pytest.mark.parametrize(
    ("card_id", "version"), [("default", "1999-01"), ("../default", "2025-01"), ("", "\n")]
)
def test_card_that_was_never_published_is_unknown(card_id: str, version: str) -> None:
    with pytest.raises(UnknownRateCardError) as caught:
        rate_card(card_id, version)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        pytest.param("base_amount = 1999", "base_amount = 19.99", "services.walk.base_amount", id="float"),
        pytest.param("base_amount = 1999", "base_amount = -1", "services.walk.base_amount", id="negative"),
        pytest.param("base_amount = 1999", "base_amount = true", "services.walk.base_amount", id="boolean"),
        pytest.param("base_amount = 1999", f"base_amount = {10**10}", "services.walk.base_amount", id="huge"),
        pytest.param("base_amount = 1999", "", "services.walk.base_amount", id="missing"),
        pytest.param('"visit"', '"week"', "services.walk.unit", id="unknown unit"),
        pytest.param('"visit"', '"night"', "services.walk: long_visit_amount", id="long night"),
        pytest.param('"visit"', '"hour"', "services.walk: long_visit_amount", id="long hour"),
        pytest.param("long_visit_minutes = 60", "", "services.walk", id="half a long visit"),
        pytest.param('title = "Walk"', 'title = " "', "services.walk.title", id="blank title"),
        pytest.param("holiday_amount", "holyday_amount", "services.walk.holyday_amount", id="misspelt"),
        pytest.param(
            'title = "Walk"', 'title = "Walk"\nhue = 1', "services.walk.hue", id="unknown service key"
        ),
        pytest.param('country = "US"', 'country = "US"\nhue = 1', "holidays.hue", id="unknown holiday key"),
        pytest.param('"EUR"', '"EUR"\nhue = 1', "hue", id="unknown key"),
        pytest.param('"EUR"', '"euro"', "currency", id="currency"),
        pytest.param("Europe/Berlin", "Europe", "time_zone", id="time zone"),
        pytest.param('["Christmas Day"]', "[]", "holidays.names", id="no holiday"),
        pytest.param('["Christmas Day"]', "[1]", "holidays.names[0]", id="holiday by number"),
        pytest.param('["Christmas Day"]', '["A", 1]', "holidays.names[1]", id="one holiday by number"),
        pytest.param('["Christmas Day"]', '["A", "A"]', "holidays: names", id="same holiday twice"),
        pytest.param('"US"', '"Narnia"', "holidays.country", id="no such country"),
        pytest.param('["Christmas Day"]', "1", "holidays.names", id="names without a list"),
        pytest.param('version = "1"', 'version = "2"', "version", id="file of another version"),
        pytest.param('"EUR"', '"EUR"\nservices = 1', "not TOML", id="twice"),
    ],
)
def test_wrong_card_is_refused_with_file_and_key(old: str, new: str, key: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidRateCardError) as caught:
        parse_card(FILE, GOOD.replace(old, new, 1))
    assert str(caught.value).startswith(f"{FILE}: {key}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("addition", "key"),
    [
        pytest.param(DISCOUNT.replace("750", "7.5"), "discounts[0].basis_points", id="float share"),
        pytest.param(DISCOUNT.replace("750", "10001"), "discounts[0].basis_points", id="more than all"),
        pytest.param(DISCOUNT + "amount = 100\n", "discounts[0]", id="share and amount"),
        pytest.param(DISCOUNT.replace("code", "name"), "discounts[0].name", id="no code"),
        pytest.param(DISCOUNT + DISCOUNT, "discounts", id="same code twice"),
        pytest.param(
            '[[fees]]\ncode = "a"\ndescription = "A"\namount = -5\n', "fees[0].amount", id="negative fee"
        ),
    ],
)
def test_wrong_adjustment_is_refused_with_file_and_key(addition: str, key: str) -> None:
    with pytest.raises(InvalidRateCardError) as caught:
        parse_card(FILE, GOOD + addition)
    assert str(caught.value).startswith(f"{FILE}: {key}: ")


def quote_with(adjustments: str, pets: int = 1) -> list[tuple[str, int]]:
    card = parse_card(FILE, GOOD + adjustments)
    quote = price(visit_request("walk", 30, pets=pets), card)
    return [*((line.code, line.amount) for line in quote.lines), ("total", quote.total)]


def test_discounts_fees_and_taxes_are_lines_of_the_same_breakdown() -> None:
    """1999 - 149.925 (150) + 300 = 2149; of that 19.0 % = 408.31 (408)."""
    fee = '[[fees]]\ncode = "key"\ndescription = "Key pickup"\namount = 300\n'
    tax = '[[taxes]]\ncode = "vat"\ndescription = "VAT"\nbasis_points = 1900\n'
    assert quote_with(DISCOUNT + fee + tax) == [
        ("visit", 1999), ("discount:loyal", -150), ("fee:key", 300), ("tax:vat", 408), ("total", 2557),
    ]  # fmt: skip


@pytest.mark.parametrize(("pets", "share"), [(1, 1000), (2, 1000), (3, 1001)])
def test_share_is_rounded_half_up(pets: int, share: int) -> None:
    """Half of 1999 is 999.5, of 2000 is 1000, of 2001 is 1000.5."""
    assert ("discount:loyal", -share) in quote_with(DISCOUNT.replace("750", "5000"), pets)


def test_discounts_never_make_a_price_negative() -> None:
    fixed = '[[discounts]]\ncode = "gift"\ndescription = "Gift card"\namount = 5000\n'
    assert quote_with(DISCOUNT + fixed)[-1] == ("total", 0)


def test_stay_of_a_card_in_its_own_time_zone_counts_its_own_nights() -> None:
    card = parse_card(FILE, GOOD)
    # 10:00 in Chicago is 16:00 in Berlin: the same days
    assert price(stay_request("night", 2), card).total == 10000
