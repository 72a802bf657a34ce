"""The rate cards of this release: files `rate_cards/<id>-<version>.toml`, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import groupby

from pricing.card_reader import parse_card
from pricing.errors import UnknownRateCardError, excerpt
from pricing.rate_card import RateCard
from pricing.timelines import Timeline, build_timeline

DEFAULT_CARD_ID = "default"
"""The card that bookings are priced by. Cards of other ids are priced by only where they are named."""


@dataclass(frozen=True, slots=True)
class RateCards:
    """The cards of a folder: each version by (id, version), and the timeline of each id."""

    versions: Mapping[tuple[str, str], RateCard]
    timelines: Mapping[str, Timeline]


def rate_card(card_id: str, version: str) -> RateCard:
    """Return the published card of this id and version, or raise UnknownRateCardError."""
    cards = published_cards()
    card = cards.versions.get((card_id, version))
    if card is None:
        known = ", ".join(f"{known_id}/{known_version}" for known_id, known_version in cards.versions)
        raise UnknownRateCardError(
            f"rate card: {excerpt(card_id)} version {excerpt(version)} is not published here,"
            f" choose one of {known}"
        )
    return card


def current_rate_card(at: datetime, card_id: str = DEFAULT_CARD_ID) -> RateCard:
    """Return the version of a card that is in force at an aware moment, or raise UnknownRateCardError."""
    timelines = published_cards().timelines
    if card_id not in timelines:
        raise UnknownRateCardError(
            f"rate card: {excerpt(card_id)} is not published here, choose one of {', '.join(timelines)}"
        )
    return timelines[card_id].at(at)


@cache
def published_cards() -> RateCards:
    """Return every card of this release. InvalidRateCardError names a wrong file."""
    return load_cards(files("pricing").joinpath("rate_cards"))


def load_cards(folder: Traversable) -> RateCards:
    """Return the cards of a folder. InvalidRateCardError names a wrong file."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    cards = [parse_card(name, folder.joinpath(name).read_text(encoding="utf-8")) for name in names]
    by_id = groupby(sorted(cards, key=_id), key=_id)
    return RateCards(
        versions={(card.id, card.version): card for card in cards},
        timelines={card_id: build_timeline(versions) for card_id, versions in by_id},
    )


def _id(card: RateCard) -> str:
    return card.id
