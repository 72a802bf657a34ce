"""Facts that Stripe's events report (docs.stripe.com/api/events).

Members that booking does not need are ignored. Members that it needs are checked: a sender may break the
documented types.
"""

from collections.abc import Callable, Mapping
from typing import cast

from booking.adapters.stripe_amounts import AmountError, currency_code, from_stripe
from booking.domain.facts import Fact, Kind, Links, State
from chassis.messaging.failures import MalformedMessageError
from contracts.ids import id_or_digest
from contracts.money import Money
from contracts.stripe_events import JsonObject, JsonObjectError, read_stripe_event, referenced_booking
from contracts.text import sanitize_for_postgres

PROVIDER = "stripe"
AMOUNT_MINOR_UNITS_MAX = 10**15
"""More than any amount that Stripe can charge; sums of thousands of payments still fit a bigint."""


def read_facts(event_type: str, body: bytes, *, event_id: str) -> tuple[Fact, ...]:
    """Return the facts that an event tells of; none for a type that has no reader.

    Args:
        event_type: `ce_type` of the message.
        body: the event as Stripe sent it.
        event_id: of the message.

    Raises:
        MalformedMessageError: not a JSON object, or a member that the reader needs is missing or unusable.
    """
    reader = _READERS.get(event_type)
    if reader is None:
        return ()
    try:
        event = read_stripe_event(body)
    except JsonObjectError as error:
        raise MalformedMessageError(str(error)) from error
    created = event.members.get("created")
    occurred_at = created if type(created) is int else 0
    return (reader(_object(_object(event.members, "data"), "object"), event_id, occurred_at),)


def _read_payment_intent(intent: JsonObject, event_id: str, occurred_at: int) -> Fact:
    reference = referenced_booking(intent)
    charge = intent.get("latest_charge")
    return Fact(
        provider=PROVIDER,
        event_id=sanitize_for_postgres(event_id),
        occurred_at=occurred_at,
        kind=Kind.INTENT,
        object_id=_id(_text(intent, "id")),
        state=State.SUCCEEDED,
        amount=_captured(intent),
        links=Links(charge=_id(charge) if isinstance(charge, str) and charge else None),
        booking_reference=None if reference is None else _id(reference),
    )


# Event type → function that reads the fact from the event's object (`data.object`) and the event's id. An
# event of another type is admitted and changes nothing. A new type is one entry and one reader.
_READERS: Mapping[str, Callable[[JsonObject, str, int], Fact]] = {
    "stripe.payment_intent.succeeded": _read_payment_intent,
}


def _object(parent: JsonObject, name: str) -> JsonObject:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedMessageError(f"{name}: expected an object")
    return cast("JsonObject", value)


def _text(parent: JsonObject, name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedMessageError(f"{name}: expected a text")
    return value


def _captured(intent: JsonObject) -> Money:
    # `amount` is what was asked for. It stands in where `amount_received`, what was captured, is missing.
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
