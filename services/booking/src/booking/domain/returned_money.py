"""Money that went back to the payer: refunds and disputes of one payment."""

from collections.abc import Sequence
from dataclasses import dataclass

from booking.domain.facts import Fact, Kind, State
from booking.domain.money_objects import ObjectFacts, Objects, in_state
from contracts.money import Money

_LIVE = (State.PENDING, State.SUCCEEDED)
_GONE = (State.FAILED, State.CANCELED)


@dataclass(frozen=True, slots=True)
class Refunds:
    """Minor units: all money sent back or on its way back, and the part that is on its way."""

    refunded: int
    pending: int


def sum_refunds(objects: Objects, currency: str) -> Refunds:
    """Return the refunds of a payment in `currency`."""
    # A refund's event and its charge's event tell of the same money, and either may be missing.
    live = sum(_minor_units(item, currency) for item in in_state(objects, Kind.REFUND, *_LIVE))
    pending = sum(_minor_units(item, currency) for item in in_state(objects, Kind.REFUND, State.PENDING))
    failed = [item.latest for item in in_state(objects, Kind.REFUND, *_GONE)]
    of_charges = sum(
        max((_refunded_of_charge(fact, failed) for fact in charge.facts), default=0)
        for charge in objects[Kind.CHARGE]
    )
    return Refunds(max(live, of_charges), pending)


def _refunded_of_charge(charge: Fact, failed: Sequence[Fact]) -> int:
    """Return a charge's refunded amount without refunds that were part of it and have failed since then."""
    failed_since = sum(
        refund.amount.amount
        for refund in failed
        if refund.amount is not None
        and refund.links.charge in (None, charge.object_id)
        and charge.occurred_at <= refund.occurred_at
    )
    return max(0, (charge.refunded or 0) - failed_since)


def _minor_units(item: ObjectFacts, currency: str) -> int:
    amount = item.latest.amount
    return amount.amount if amount is not None and amount.currency == currency else 0


def unreplaced_refunds(objects: Objects, rest: int) -> tuple[str, ...]:
    """Return failed refunds that no later refund of at least the amount replaces, while money is left."""
    if not rest:
        return ()
    live = [item.latest for item in in_state(objects, Kind.REFUND, *_LIVE)]
    return tuple(
        item.latest.object_id
        for item in in_state(objects, Kind.REFUND, State.FAILED)
        if not any(_replaces(refund, item.latest) for refund in live)
    )


def _replaces(refund: Fact, failed: Fact) -> bool:
    if refund.amount is None or failed.amount is None or refund.amount.amount < failed.amount.amount:
        return False
    return _created(refund) > _created(failed)


def _created(fact: Fact) -> tuple[int, str]:
    created = fact.occurred_at if fact.object_created_at is None else fact.object_created_at
    return created, fact.object_id


def sum_disputes(objects: Objects, state: State, captured: Money) -> int:
    """Return the sum of the disputes in this state; without a usable amount, all of the payment."""
    return sum(
        amount.amount
        if (amount := item.latest.amount) is not None and amount.currency == captured.currency
        else captured.amount
        for item in in_state(objects, Kind.DISPUTE, state)
    )
