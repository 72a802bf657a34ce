"""The rate cards of this release: files `rate_cards/<id>-<version>.toml`, read once."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from pricing.card_reader import parse_card
from pricing.errors import UnknownRateCardError, excerpt
from pricing.rate_card import RateCard

# Id and version.
CURRENT_RATE_CARD = ("default", "2025-01")


def current_rate_card() -> RateCard:
    """Return the card that new bookings are priced with."""
    return rate_card(*CURRENT_RATE_CARD)


def rate_card(card_id: str, version: str) -> RateCard:
    """Return the published card of this id and version, or raise UnknownRateCardError."""
    card = published_cards().get((card_id, version))
    if card is None:
        raise UnknownRateCardError(
            f"rate card: {excerpt(card_id)} version {excerpt(version)} is not published here"
        )
    return card


@cache
def published_cards() -> Mapping[tuple[str, str], RateCard]:
    """Return every card of this release by (id, version). InvalidRateCardError names a wrong file."""
    folder = files("pricing").joinpath("rate_cards")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    cards = [parse_card(name, folder.joinpath(name).read_text(encoding="utf-8")) for name in names]
    return {(card.id, card.version): card for card in cards}
