"""Errors of pricing. Each message is one line that names the field or file."""

from collections.abc import Iterable

EXCERPT_CHARACTERS_MAX = 80


class PricingError(ValueError):
    """Any error of this package."""


class InvalidPriceRequestError(PricingError):
    """The request cannot be priced: correct the field that the message names first."""

    @property
    def field(self) -> str:
        """Return the field of the request, e.g. `ends_at` or `visits.1.ends_at`."""
        return str(self).partition(": ")[0]


class UnknownServiceError(PricingError):
    """The rate card has no such service: choose one of `known`."""

    def __init__(self, service: str, known: Iterable[str]) -> None:
        self.service = service
        self.known = tuple(sorted(known))
        super().__init__(f"service: {excerpt(service)} is unknown, choose one of {', '.join(self.known)}")


class InvalidRateCardError(PricingError):
    """A rate card file is wrong: correct the key that the message names and publish it anew."""


class UnknownRateCardError(PricingError):
    """No published card has this id and version: deploy a release that has it."""


class UnknownEngineVersionError(PricingError):
    """The price was computed by an engine that this release does not have: deploy a release that has it."""


class UnsuitableEngineError(PricingError):
    """The engine is older than the rate card needs: price by a later engine, or by another card."""


class UnreadableSnapshotError(PricingError):
    """A stored snapshot is damaged: no price can be recomputed from it. A person must look at it."""


def excerpt(value: object) -> str:
    """Return a value from outside for a one-line message: quoted, escaped and cut."""
    text = ascii(value)
    return text if len(text) <= EXCERPT_CHARACTERS_MAX else f"{text[:EXCERPT_CHARACTERS_MAX]}…"
