"""docs/pricing.md: the card that the page shows is a card, and costs what the page says."""

import re
import shutil
from datetime import UTC, date, datetime
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from contracts.money import Money
from pricing import InvalidRateCardError, price
from pricing.published_cards import RateCards, load_cards
from unit.pricing.pricing_cases import stay_request

PAGE = (Path(__file__).parents[3] / "docs/pricing.md").read_text(encoding="utf-8")
[CARD] = re.findall(r"```toml\n(# (default-2027-01\.toml)\n.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with as_file(files("pricing").joinpath("rate_cards")) as published:
        return Path(shutil.copytree(published, tmp_path / "rate_cards"))


@pytest.fixture
def cards(folder: Path) -> RateCards:
    text, name = CARD
    (folder / name).write_text(text, encoding="utf-8")
    return load_cards(folder)


def test_copied_card_is_in_force_from_its_date(cards: RateCards) -> None:
    timeline = cards.timelines["default"]
    assert timeline.at(datetime(2027, 1, 1, 6, tzinfo=UTC)).version == "2027-01"
    assert timeline.at(datetime(2027, 1, 1, 5, 59, tzinfo=UTC)).version != "2027-01"


def test_copied_card_costs_what_the_page_says(cards: RateCards) -> None:
    week = stay_request("housesitting", 7, first=date(2027, 3, 1))
    total = Money(price(week, cards.versions["default", "2027-01"]).total, "USD")
    assert f"Seven nights of housesitting cost {total} by this card" in PAGE


def test_wrong_card_has_the_message_of_the_page(folder: Path) -> None:
    text, name = CARD
    (folder / name).write_text(text.replace("base_amount = 2200", "base_amount = 22.00"), encoding="utf-8")
    with pytest.raises(InvalidRateCardError) as caught:
        load_cards(folder)
    assert f"```\n{caught.value}\n```" in PAGE


def test_page_names_every_warning_and_key() -> None:
    for word in ("pets_included", "from_units", "per", "percent", "basis_points", "effective_from", "engine"):
        assert f"`{word}`" in PAGE
