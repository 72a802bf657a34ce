"""The engines by version. An engine that ever priced a booking stays: its prices can be recomputed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pricing.engine_v1 import lines_v1
from pricing.errors import UnknownEngineVersionError
from pricing.inputs import Inputs
from pricing.price_requests import PriceRequest
from pricing.quotes import Line, Quote
from pricing.rate_card import RateCard
from pricing.resolution import resolve

Engine = Callable[[Inputs, RateCard], tuple[Line, ...]]

ENGINES: Mapping[int, Engine] = MappingProxyType({1: lines_v1})
ENGINE_VERSION_CURRENT = 1


def engine(version: int) -> Engine:
    """Return the engine of this version, or raise UnknownEngineVersionError."""
    computation = ENGINES.get(version)
    if computation is None:
        known = ", ".join(str(number) for number in ENGINES)
        raise UnknownEngineVersionError(f"engine_version: {version} is unknown here, known are {known}")
    return computation


def price(request: PriceRequest, card: RateCard) -> Quote:
    """Price the request by this card and the current engine.

    Errors: InvalidPriceRequestError names the field, UnknownServiceError lists the services.
    """
    return Quote(card.currency, engine(ENGINE_VERSION_CURRENT)(resolve(request, card), card))
