"""Comparison of Stripe's payment intents, charges and refunds with booking's payments (REC-13).

Only money that moved counts. An object that both sides have with the same amount is right, whatever else
differs: what a booking owes is the nightly run's question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.currencies import NO_CURRENCY
from contracts.money import Money
from contracts.stripe_amounts import AmountError, currency_code, from_stripe
from contracts.stripe_events import JsonObject, referenced_booking

MismatchKind = Literal["missing_here", "missing_at_stripe", "amount_differs"]
MISMATCH_KINDS: tuple[MismatchKind, ...] = ("missing_here", "missing_at_stripe", "amount_differs")

_FAILED = frozenset({"failed", "canceled"})
NOTHING = Money(0, NO_CURRENCY)


@dataclass(frozen=True, slots=True)
class OwnPayment:
    """A payment of Stripe as booking derived it. A void row stands for objects of another payment."""

    payment_id: str
    booking_id: str | None
    captured: Money
    refunded: int
    state: str
    is_void: bool


@dataclass(frozen=True, slots=True)
class OwnObject:
    """What one event said about an object; `amount` is None where it said none."""

    kind: str
    state: str
    amount: Money | None


@dataclass(frozen=True, slots=True)
class Own:
    """What booking knows about the objects of a page: payments and facts by Stripe's id."""

    payments: Mapping[str, OwnPayment] = field(default_factory=dict[str, OwnPayment])
    objects: Mapping[str, Sequence[OwnObject]] = field(default_factory=dict[str, Sequence[OwnObject]])


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A difference between Stripe and booking.

    Attributes:
        payment_id: id of the payment intent, or of the charge without one.
        object_id: the object that differs; the payment, or a refund.
        at_stripe, here: the amounts.
        booking: id of the booking, or what Stripe's object calls it.
    """

    kind: MismatchKind
    object_type: Literal["payment_intent", "charge", "refund"]
    payment_id: str
    object_id: str
    at_stripe: Money
    here: Money
    booking: str | None


def compare_intent(intent: JsonObject, own: Own) -> Mismatch | None:
    """Return how a payment intent differs from its payment; None if both have the same money."""
    intent_id = _text(intent, "id") or ""
    is_paid = intent.get("status") == "succeeded"
    at_stripe = _money(intent, "amount_received") if is_paid else NOTHING
    return _compare_payment("payment_intent", intent_id, at_stripe, own.payments.get(intent_id), intent)


def compare_charge(charge: JsonObject, own: Own) -> Mismatch | None:
    """Return how a charge without a payment intent differs; a charge with one is compared as its intent."""
    if linked_id(charge.get("payment_intent")) is not None:
        return None
    charge_id = _text(charge, "id") or ""
    is_paid = charge.get("status") == "succeeded" and charge.get("captured") is not False
    at_stripe = _money(charge, "amount_captured", "amount") if is_paid else NOTHING
    facts = own.objects.get(charge_id, ())
    if any(fact.state == "succeeded" and fact.amount == at_stripe for fact in facts):
        return None  # of an invoice that several charges paid
    return _compare_payment("charge", charge_id, at_stripe, own.payments.get(charge_id), charge)


def compare_refund(refund: JsonObject, own: Own) -> Mismatch | None:
    """Return how a refund differs from what booking knows of it; None if it agrees.

    A refund that only its charge told of is right if that much of the payment went back.
    """
    refund_id = _text(refund, "id") or ""
    payment_id = linked_id(refund.get("payment_intent")) or linked_id(refund.get("charge")) or refund_id
    payment = own.payments.get(payment_id)
    went_back = refund.get("status") not in _FAILED
    at_stripe = _money(refund, "amount") if went_back else NOTHING
    facts = own.objects.get(refund_id, ())
    if facts:
        failed_here = any(fact.state in _FAILED for fact in facts)
        amounts = [fact.amount for fact in facts if fact.amount is not None]
        here = NOTHING if failed_here or not amounts else amounts[-1]
        if at_stripe in amounts and not failed_here:
            return None
    else:
        covered = payment is not None and payment.refunded >= at_stripe.amount
        here = NOTHING
        if covered:
            return None
    if at_stripe.amount == here.amount == 0:
        return None
    kind: MismatchKind = "amount_differs" if facts else "missing_here"
    booking = payment.booking_id if payment else None
    return Mismatch(
        kind, "refund", payment_id, refund_id, at_stripe, here, booking or referenced_booking(refund)
    )


def missing_at_stripe(payment: OwnPayment) -> Mismatch:
    """Return the mismatch of a payment that Stripe does not know."""
    object_type = "charge" if payment.payment_id.startswith("ch_") else "payment_intent"
    return Mismatch(
        "missing_at_stripe",
        object_type,
        payment.payment_id,
        payment.payment_id,
        NOTHING,
        payment.captured,
        payment.booking_id,
    )


def payment_ids_of(item: JsonObject) -> list[str]:
    """Return the ids under which booking may keep the payment of an object."""
    ids = (_text(item, "id"), linked_id(item.get("payment_intent")), linked_id(item.get("charge")))
    return [identifier for identifier in ids if identifier is not None]


def linked_id(value: object) -> str | None:
    """Return the id of a linked object, given as id or expanded; None if there is none."""
    if isinstance(value, dict):
        return _text(value, "id")  # pyright: ignore[reportUnknownArgumentType] - any JSON
    return value if isinstance(value, str) and value else None


def _compare_payment(
    object_type: Literal["payment_intent", "charge"],
    object_id: str,
    at_stripe: Money,
    payment: OwnPayment | None,
    item: JsonObject,
) -> Mismatch | None:
    if payment is not None and payment.is_void:
        return None
    here = payment.captured if payment is not None and payment.state == "succeeded" else NOTHING
    if at_stripe == here or at_stripe.amount == here.amount == 0:
        return None
    kind: MismatchKind = "missing_here" if here.amount == 0 else "amount_differs"
    booking = payment.booking_id if payment else None
    return Mismatch(
        kind, object_type, object_id, object_id, at_stripe, here, booking or referenced_booking(item)
    )


def _money(item: JsonObject, *names: str) -> Money:
    """Return the first amount that is stated, in minor units of ISO 4217; nothing if none can be read."""
    amount = next((value for name in names if type(value := item.get(name)) is int), None)
    currency = currency_code(_text(item, "currency") or "")
    if amount is None or currency is None:
        return NOTHING
    try:
        return from_stripe(amount, currency)
    except AmountError:
        return NOTHING


def _text(item: JsonObject, name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
