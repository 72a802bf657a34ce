"""The one pricing engine: rate cards and quotes. Integers only, no clock."""

from pricing.engines import ENGINE_VERSION_CURRENT, price
from pricing.errors import (
    InvalidPriceRequestError,
    InvalidRateCardError,
    PricingError,
    UnknownEngineVersionError,
    UnknownRateCardError,
    UnknownServiceError,
)
from pricing.price_requests import PriceRequest, Slot
from pricing.published_cards import current_rate_card, rate_card
from pricing.quotes import Line, Quote
from pricing.rate_card import RateCard

__all__ = [
    "ENGINE_VERSION_CURRENT",
    "InvalidPriceRequestError",
    "InvalidRateCardError",
    "Line",
    "PriceRequest",
    "PricingError",
    "Quote",
    "RateCard",
    "Slot",
    "UnknownEngineVersionError",
    "UnknownRateCardError",
    "UnknownServiceError",
    "current_rate_card",
    "price",
    "rate_card",
]
