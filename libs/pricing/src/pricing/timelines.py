"""Effective dates: the version of a rate card that is in force at a moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from pricing.errors import InvalidRateCardError
from pricing.rate_card import RateCard

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All versions of one card by the time from which they are in force: each until the next one's."""

    versions: tuple[RateCard, ...]

    def at(self, moment: datetime) -> RateCard:
        """Return the version in force at an aware moment. Every moment has exactly one."""
        return [card for card in self.versions if _start(card) <= moment][-1]


def build_timeline(cards: Iterable[RateCard]) -> Timeline:
    """Return the timeline of cards with one id.

    Raises:
        InvalidRateCardError: two versions come into force at one time, or no version is the first.
    """
    versions = sorted(cards, key=lambda card: (_start(card), card.version))
    first = versions[0]
    if first.effective_from is not None:
        raise InvalidRateCardError(
            f"{first.file_name}: effective_from: no version of card {first.id} is in force before this one;"
            " the first version has no effective_from"
        )
    for card, following in pairwise(versions):
        if _start(card) == _start(following):
            raise InvalidRateCardError(
                f"{following.file_name}: effective_from: {card.file_name} is in force from the same time;"
                " give each version its own"
            )
    return Timeline(tuple(versions))


def _start(card: RateCard) -> datetime:
    return card.in_force_from or _EVER
