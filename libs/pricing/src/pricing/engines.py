"""The engines by version. One that ever priced a booking stays, so that its prices can be computed again."""

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
    """The engine of this version; UnknownEngineVersionError where this release has none."""
    found = ENGINES.get(version)
    if found is None:
        known = ", ".join(str(known) for known in ENGINES)
        raise UnknownEngineVersionError(f"engine_version: {version} is unknown here, known are {known}")
    return found


def price(request: PriceRequest, card: RateCard) -> Quote:
    """What the request costs by this card and the current engine.

    Errors: InvalidPriceRequestError names the field, UnknownServiceError lists the services.
    """
    return Quote(card.currency, engine(ENGINE_VERSION_CURRENT)(resolve(request, card), card))
