"""Stripe's events, read as far as booking needs them (stripe.com/docs/api/events).

Tolerant of whatever else stands there; what is needed is not trusted to be of the documented type.
"""

from typing import cast

from booking.adapters.stripe_amounts import AmountError, currency_code, from_stripe
from booking.domain.payments import Payment
from chassis.messaging.failures import MalformedMessageError
from contracts.ids import id_or_digest
from contracts.money import Money
from contracts.stripe_events import JsonObject, JsonObjectError, read_stripe_event, referenced_booking
from contracts.text import sanitize_for_postgres

PROVIDER = "stripe"
AMOUNT_MINOR_UNITS_MAX = 10**15
"""Beyond every amount that Stripe can charge, and sums of thousands still fit a bigint."""


def parse_payment(value: bytes, *, event_id: str) -> Payment:
    """The payment that a `payment_intent.succeeded` reports.

    Args:
        value: the event as Stripe sent it.
        event_id: of the message that brought it.

    Raises:
        MalformedMessageError: not a JSON object, or the payment's id, amount or currency cannot be used.
    """
    try:
        event = read_stripe_event(value)
    except JsonObjectError as error:
        raise MalformedMessageError(str(error)) from error
    intent = _object(_object(event.members, "data"), "object")
    reference = referenced_booking(intent)
    return Payment(
        provider=PROVIDER,
        payment_id=_id(_text(intent, "id")),
        booking_reference=None if reference is None else _id(reference),
        captured=_captured(intent),
        event_id=sanitize_for_postgres(event_id),
    )


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
    code = currency_code(_text(intent, "currency"))
    if code is None:
        raise MalformedMessageError("currency: expected three letters")
    return code


def _id(text: str) -> str:
    return id_or_digest(sanitize_for_postgres(text))
