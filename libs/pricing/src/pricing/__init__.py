"""The one pricing engine: rate cards, quotes, snapshots and their comparison. Integers only, no clock.

A booking takes a `snapshot` of a request and stores it; the reconciler reads it back, computes it again
with its own card and engine, and compares the two.
"""

from pricing.adjustments import Adjustment, Discount, Fee
from pricing.comparison import UNEXPLAINED_CODE, LineDifference, agrees, compare
from pricing.engines import price
from pricing.errors import (
    InvalidPriceRequestError,
    InvalidRateCardError,
    PricingError,
    UnknownEngineVersionError,
    UnknownRateCardError,
    UnknownServiceError,
    UnreadableSnapshotError,
    UnsuitableEngineError,
)
from pricing.price_requests import PriceRequest, Slot
from pricing.published_cards import current_rate_card, published_cards, rate_card
from pricing.quotes import Line, Quote
from pricing.rate_card import RateCard, Service
from pricing.request_warnings import PriceWarning, warnings
from pricing.snapshot_json import JsonObject, parse_snapshot, parse_snapshot_text, to_json_object
from pricing.snapshots import Override, Snapshot, recompute, snapshot, with_override

__all__ = [
    "UNEXPLAINED_CODE",
    "Adjustment",
    "Discount",
    "Fee",
    "InvalidPriceRequestError",
    "InvalidRateCardError",
    "JsonObject",
    "Line",
    "LineDifference",
    "Override",
    "PriceRequest",
    "PriceWarning",
    "PricingError",
    "Quote",
    "RateCard",
    "Service",
    "Slot",
    "Snapshot",
    "UnknownEngineVersionError",
    "UnknownRateCardError",
    "UnknownServiceError",
    "UnreadableSnapshotError",
    "UnsuitableEngineError",
    "agrees",
    "compare",
    "current_rate_card",
    "parse_snapshot",
    "parse_snapshot_text",
    "price",
    "published_cards",
    "rate_card",
    "recompute",
    "snapshot",
    "to_json_object",
    "warnings",
    "with_override",
]
