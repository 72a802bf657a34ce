"""Agreed prices with everything that their recomputation needs (BK-6, REC-3)."""

from msgspec import Struct
from msgspec.structs import replace

from pricing.engines import compute
from pricing.errors import InvalidPriceRequestError, excerpt
from pricing.inputs import Inputs
from pricing.price_requests import PriceRequest
from pricing.published_cards import rate_card
from pricing.quotes import AMOUNT_MINOR_UNITS_MAX, Amount, Line, Quote
from pricing.rate_card import RateCard
from pricing.resolution import resolve

REASON_CHARACTERS_MAX = 1000
ACTOR_CHARACTERS_MAX = 200

# Stored in snapshots, so as frozen as an engine.
_OVERRIDE_CODE = "override"
_OVERRIDE_DESCRIPTION = "Agreed price"


class Override(Struct, frozen=True):
    """A total that a person set in place of the computed one (BK-3): before and after in minor units."""

    before: Amount
    after: Amount
    reason: str
    actor: str

    def __post_init__(self) -> None:
        if not 0 <= self.after <= AMOUNT_MINOR_UNITS_MAX:
            raise InvalidPriceRequestError(
                f"total: {excerpt(self.after)} is not from 0 to {AMOUNT_MINOR_UNITS_MAX}"
            )
        if not self.reason.strip() or len(self.reason) > REASON_CHARACTERS_MAX:
            raise InvalidPriceRequestError(f"reason: expected 1 to {REASON_CHARACTERS_MAX} characters")
        if not self.actor.strip() or len(self.actor) > ACTOR_CHARACTERS_MAX:
            raise InvalidPriceRequestError(f"actor: expected 1 to {ACTOR_CHARACTERS_MAX} characters")


class Snapshot(Struct, frozen=True, gc=False):
    """The price that a booking stores and freezes at confirmation; `lines` and `total` are as stored.

    Amounts are minor units of `currency`. The inputs are what the engine reads (only the zone's name is
    for people), so one that was damaged changes the recomputed price wherever it matters to the price.
    """

    engine_version: int
    card_id: str
    card_version: str
    currency: str
    inputs: Inputs
    lines: tuple[Line, ...]
    total: int
    override: Override | None


def snapshot(request: PriceRequest, card: RateCard, engine_version: int | None = None) -> Snapshot:
    """Price the request by this card, with the card's engine where no other is named, for storage.

    Errors: InvalidPriceRequestError names the field, UnknownServiceError lists the services.
    """
    inputs = resolve(request, card)
    version = card.engine if engine_version is None else engine_version
    quote = compute(inputs, card, version)
    return Snapshot(
        engine_version=version,
        card_id=card.id,
        card_version=card.version,
        currency=quote.currency,
        inputs=inputs,
        lines=quote.lines,
        total=quote.total,
        override=None,
    )


def with_override(priced: Snapshot, *, after: int, reason: str, actor: str) -> Snapshot:
    """Return the snapshot with another total: `after` minor units, set by a person for a reason.

    The breakdown is computed anew and closed with a line `override`, so that it adds up to `after`.
    InvalidPriceRequestError for a negative total, or a missing reason or actor.
    """
    override = Override(before=priced.total, after=after, reason=reason, actor=actor)
    overridden = replace(priced, override=override)
    quote = recompute(overridden)
    return replace(overridden, currency=quote.currency, lines=quote.lines, total=quote.total)


def recompute(stored: Snapshot) -> Quote:
    """Compute the price that this snapshot should hold, by its own card, engine and override.

    Asks neither clock, time zone database nor holiday calendar: the answer is the same for ever.
    The stored lines and total are not read. An override's total is what was agreed, and so is its
    recomputed total. Errors: UnknownRateCardError, UnknownEngineVersionError, and where the stored values
    were damaged UnknownServiceError or UnsuitableEngineError.
    """
    card = rate_card(stored.card_id, stored.card_version)
    computed = compute(stored.inputs, card, stored.engine_version)
    if stored.override is None or stored.override.after == computed.total:
        return computed
    agreed = Line.of(_OVERRIDE_CODE, _OVERRIDE_DESCRIPTION, 1, stored.override.after - computed.total)
    return Quote.of(card.currency, (*computed.lines, agreed))
