"""Stripe's events, read as far as booking needs them (stripe.com/docs/api/events).

Tolerant of whatever else stands there; what is needed is not trusted to be of the documented type.
"""

import json
from typing import Any, cast

from booking.adapters.stripe_amounts import AmountError, from_stripe
from booking.domain.payments import Payment
from booking.domain.text import storable
from chassis.errors import MalformedMessageError
from contracts.ids import booking_reference, id_or_digest
from contracts.money import Money

PROVIDER = "stripe"
AMOUNT_MINOR_UNITS_MAX = 10**15
"""Beyond every amount that Stripe can charge, and sums of thousands still fit a bigint."""

_BOOKING_REFERENCES = ("booking_id", "bookingId")
"""Members of an object's metadata that name its booking; the second one stands in older links."""

_CURRENCY_LETTERS = 3

JsonObject = dict[str, Any]


def parse_payment(value: bytes, *, event_id: str) -> Payment:
    """The payment that a `payment_intent.succeeded` reports.

    Args:
        value: the event as Stripe sent it.
        event_id: of the message that brought it.

    Raises:
        MalformedMessageError: not a JSON object, or the payment's id, amount or currency cannot be used.
    """
    intent = _object(_object(_decode(value), "data"), "object")
    return Payment(
        provider=PROVIDER,
        payment_id=_id(_text(intent, "id")),
        booking_reference=_booking_reference(intent.get("metadata")),
        captured=_captured(intent),
        event_id=storable(event_id),
    )


def _decode(value: bytes) -> JsonObject:
    try:
        # A byte order mark is ignored, as the gateway ignores it (RFC 8259 §8.1).
        found = json.loads(value.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(f"not a JSON object: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise MalformedMessageError("not a JSON object")
    return cast("JsonObject", found)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(parent: JsonObject, name: str) -> JsonObject:
    found = parent.get(name)
    if not isinstance(found, dict):
        raise MalformedMessageError(f"{name}: expected an object")
    return cast("JsonObject", found)


def _text(parent: JsonObject, name: str) -> str:
    found = parent.get(name)
    if not isinstance(found, str) or not found:
        raise MalformedMessageError(f"{name}: expected a text")
    return found


def _captured(intent: JsonObject) -> Money:
    """What was really captured; `amount` is only what was asked for, and stands in where that is missing."""
    name = "amount" if intent.get("amount_received") is None else "amount_received"
    amount = intent.get(name)
    if type(amount) is not int or not 0 <= amount <= AMOUNT_MINOR_UNITS_MAX:
        raise MalformedMessageError(f"{name}: expected an integer from 0 to {AMOUNT_MINOR_UNITS_MAX}")
    try:
        captured = from_stripe(amount, _currency(intent))
    except AmountError as error:
        raise MalformedMessageError(f"{name}: {error}") from error
    if captured.amount > AMOUNT_MINOR_UNITS_MAX:
        raise MalformedMessageError(f"{name}: more than {AMOUNT_MINOR_UNITS_MAX} minor units")
    return captured


def _currency(intent: JsonObject) -> str:
    currency = _text(intent, "currency").upper()
    if len(currency) != _CURRENCY_LETTERS or not (currency.isascii() and currency.isalpha()):
        raise MalformedMessageError("currency: expected three letters")
    return currency


def _booking_reference(metadata: object) -> str | None:
    """The booking as the payment names it, a UUID in canonical form; None where it names none."""
    if not isinstance(metadata, dict):
        return None
    members = cast("JsonObject", metadata)
    reference = booking_reference(members.get(name) for name in _BOOKING_REFERENCES)
    return None if reference is None else _id(reference)


def _id(text: str) -> str:
    return id_or_digest(storable(text))
