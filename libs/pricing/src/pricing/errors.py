"""What can be wrong with a price. Each message is one line that names the field or file."""

from collections.abc import Iterable

SHOWN_CHARACTERS_MAX = 80
"""How much of a value from outside an error message repeats."""


class PricingError(ValueError):
    """Any error of this package."""


class InvalidPriceRequestError(PricingError):
    """The request cannot be priced: correct the field that the message names."""


class UnknownServiceError(PricingError):
    """The rate card has no such service: choose one of `known`."""

    def __init__(self, service: str, known: Iterable[str]) -> None:
        self.service = service
        self.known = tuple(sorted(known))
        super().__init__(f"service: {shown(service)} is unknown, choose one of {', '.join(self.known)}")


class InvalidRateCardError(PricingError):
    """A rate card file is wrong: correct the key that the message names and publish it anew."""


class UnknownRateCardError(PricingError):
    """No published card has this id and version: deploy a release that has it."""


class UnknownEngineVersionError(PricingError):
    """The price was computed by an engine that is not here: deploy a release that has it."""


class UnreadableSnapshotError(PricingError):
    """A stored snapshot is damaged: no price can be recomputed from it, a person must look."""


def shown(value: object) -> str:
    """A value from outside as it may stand in a one-line message: quoted, escaped and cut."""
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
