"""A moment has exactly one version of a card in force; a folder of cards that cannot say which is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pricing import InvalidRateCardError, UnknownRateCardError, current_rate_card
from pricing.published_cards import RateCards, load_cards

CARD = """
id = "{id}"
version = "{version}"
{start}
currency = "USD"
time_zone = "{zone}"
holidays = {{ country = "US", names = ["Christmas Day"] }}
[services.walk]
title = "Walk"
unit = "visit"
base_amount = 2000
extra_pet_amount = 0
holiday_amount = 0
"""


def folder_of(
    path: Path, starts: dict[str, str], *, card_id: str = "c", zone: str = "America/Chicago"
) -> RateCards:
    for version, start in starts.items():
        text = CARD.format(
            id=card_id, version=version, zone=zone, start=f"effective_from = {start}" if start else ""
        )
        (path / f"{card_id}-{version}.toml").write_text(text, encoding="utf-8")
    return load_cards(path)


@pytest.mark.parametrize(
    ("moment", "version"),
    [
        ("1970-01-01T00:00:00Z", "1"),
        ("2026-03-01T05:59:59Z", "1"),
        ("2026-03-01T06:00:00Z", "2"),
        ("2026-03-01T00:00:00-06:00", "2"),
        ("2026-03-08T07:59:59Z", "2"),
        ("2026-03-08T08:00:00Z", "3"),
        ("2999-01-01T00:00:00Z", "3"),
    ],
)
def test_card_in_force_is_that_of_the_business_time_zone(tmp_path: Path, moment: str, version: str) -> None:
    cards = folder_of(tmp_path, {"3": "2026-03-08T03:00:00", "1": "", "2": "2026-03-01"})
    assert cards.timelines["c"].at(datetime.fromisoformat(moment)).version == version


def test_hour_that_is_twice_is_the_first_of_the_two(tmp_path: Path) -> None:
    cards = folder_of(tmp_path, {"1": "", "2": "2026-11-01T01:30:00"})
    assert cards.versions["c", "2"].in_force_from == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_cards_of_other_ids_have_timelines_of_their_own(tmp_path: Path) -> None:
    folder_of(tmp_path, {"1": "", "2": "2026-03-01"}, card_id="a")
    cards = folder_of(tmp_path, {"1": "", "2": "2026-03-01"}, card_id="b")
    assert {card_id: len(line.versions) for card_id, line in cards.timelines.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("starts", "file", "reason"),
    [
        ({"1": "2026-01-01", "2": "2026-02-01"}, "c-1.toml", "no version of card c is in force before"),
        ({"1": "", "2": ""}, "c-2.toml", "c-1.toml is in force from the same time"),
        ({"1": "", "2": "2026-01-01", "3": "2026-01-01T00:00:00"}, "c-3.toml", "c-2.toml is in force"),
        ({"1": "2026-01-01T00:00:00Z"}, "c-1.toml", ""),
        ({"1": '"2026-01-01"'}, "c-1.toml", ""),
        ({"1": "00:00:00"}, "c-1.toml", ""),
        ({"1": "2026"}, "c-1.toml", ""),
    ],
)
def test_versions_without_a_clear_order_are_refused(
    tmp_path: Path, starts: dict[str, str], file: str, reason: str
) -> None:
    with pytest.raises(InvalidRateCardError) as caught:
        folder_of(tmp_path, starts)
    assert str(caught.value).startswith(f"{file}: effective_from: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_moment_has_a_published_default_card() -> None:
    for year in (1, 2026, 9999):
        assert current_rate_card(datetime(year, 1, 1, tzinfo=UTC)).id == "default"


def test_unknown_card_lists_the_published_ones() -> None:
    with pytest.raises(UnknownRateCardError, match="choose one of default, example"):
        current_rate_card(datetime(2026, 1, 1, tzinfo=UTC), "other\n")
