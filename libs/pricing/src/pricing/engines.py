"""The engines by version. An engine that ever priced a booking stays: its prices can be recomputed.

A rate card states its engine: card and request alone decide a price, and a new engine changes no published
card.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from pricing.counts import Counts, count_units
from pricing.engine_v1 import lines_v1
from pricing.engine_v2 import lines_v2
from pricing.errors import InvalidPriceRequestError, UnknownEngineVersionError, UnsuitableEngineError
from pricing.inputs import Inputs
from pricing.price_requests import PriceRequest
from pricing.quotes import AMOUNT_MINOR_UNITS_MAX, Line, Quote
from pricing.rate_card import RateCard
from pricing.resolution import resolve

QUOTES_KEPT_MAX = 4_096
"""Quotes kept for other bookings with equal counts, by engine, service and card. About 1 KB each."""


Engine = Callable[[Counts, str, RateCard], tuple[Line, ...]]
"""Computes the lines of a price from the counts of a booking, the name of its service and the card."""

ENGINES: Mapping[int, Engine] = MappingProxyType({1: lines_v1, 2: lines_v2})


def compute(inputs: Inputs, card: RateCard, engine_version: int) -> Quote:
    """Price resolved inputs by a card and an engine.

    Raises:
        UnknownEngineVersionError: this release does not have the engine.
        UnsuitableEngineError: the card needs a later engine.
        UnknownServiceError: the card does not have the service.
        InvalidPriceRequestError: an amount is beyond AMOUNT_MINOR_UNITS_MAX.
    """
    engine = _engine(engine_version, card)
    counts = count_units(inputs, card.service(inputs.service))
    return _quote(engine, counts, inputs.service, card)


# A function of these four values and of nothing else: a published card never changes.
@lru_cache(maxsize=QUOTES_KEPT_MAX)
def _quote(engine: Engine, counts: Counts, service: str, card: RateCard) -> Quote:
    quote = Quote.of(card.currency, engine(counts, service, card))
    largest = max([abs(quote.total), *(abs(line.amount) for line in quote.lines)])
    if largest > AMOUNT_MINOR_UNITS_MAX:
        raise InvalidPriceRequestError(
            f"total: {largest} minor units are more than {AMOUNT_MINOR_UNITS_MAX}; book less at a time"
        )
    return quote


def _engine(version: int, card: RateCard) -> Engine:
    computation = ENGINES.get(version)
    if computation is None:
        known = ", ".join(str(number) for number in ENGINES)
        raise UnknownEngineVersionError(f"engine_version: {version} is unknown here, known are {known}")
    if version < card.engine:
        raise UnsuitableEngineError(
            f"engine_version: card {card.id}/{card.version} needs engine {card.engine}, not {version}"
        )
    return computation


def price(request: PriceRequest, card: RateCard, engine_version: int | None = None) -> Quote:
    """Price the request by this card, with the card's engine where no other is named.

    Errors: InvalidPriceRequestError names the field, UnknownServiceError lists the services.
    """
    return compute(resolve(request, card), card, card.engine if engine_version is None else engine_version)
