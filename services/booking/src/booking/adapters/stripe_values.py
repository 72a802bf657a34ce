"""Values in Stripe's objects. Nothing is trusted to be of the documented type."""

import re
from typing import Any, cast

from chassis.messaging.failures import MalformedMessageError
from contracts.ids import id_or_digest
from contracts.money import Money
from contracts.stripe_amounts import AmountError, currency_code, from_stripe
from contracts.stripe_events import JsonObject
from contracts.text import sanitize_for_postgres

AMOUNT_MINOR_UNITS_MAX = 10**15
"""More than any amount that Stripe can charge; sums of thousands of payments still fit a bigint."""

# 9999-12-31. PostgreSQL and Python know later times, no reader of ours does.
_SECONDS_MAX = 253_402_300_799
_CODE = re.compile("[a-z0-9_]{1,64}")


def required_object(parent: JsonObject, name: str) -> JsonObject:
    """Return a member that is an object.

    Raises:
        MalformedMessageError: it is missing or of another type.
    """
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedMessageError(f"{name}: expected an object")
    return cast("JsonObject", value)


def required_id(parent: JsonObject) -> str:
    """Return the object's id as stored.

    Raises:
        MalformedMessageError: it is missing or no text.
    """
    value = parent.get("id")
    if not isinstance(value, str) or not value:
        raise MalformedMessageError("id: expected a text")
    return stored_id(value)


def stored_id(text: str) -> str:
    """Return the form in which an id from outside is stored."""
    return id_or_digest(sanitize_for_postgres(text))


def linked_id(value: object) -> str | None:
    """Return the id of a linked object, given as id or expanded; None if there is none."""
    if isinstance(value, dict):
        value = cast("JsonObject", value).get("id")
    return stored_id(value) if isinstance(value, str) and value else None


def members(parent: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects of a Stripe list (`{"object": "list", "data": […]}`); empty if there is none."""
    value: Any = parent.get(name)
    data: Any = cast("JsonObject", value).get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        return []
    return [cast("JsonObject", item) for item in cast("list[object]", data) if isinstance(item, dict)]


def text(parent: JsonObject, name: str) -> str | None:
    value = parent.get(name)
    return value if isinstance(value, str) else None


def code(value: object) -> str | None:
    """Return a code of Stripe, such as `card_declined`; None for any other text, which can be personal."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def seconds(value: object) -> int | None:
    """Return seconds since the epoch; None for anything else."""
    return value if type(value) is int and 0 <= value <= _SECONDS_MAX else None


def required_money(parent: JsonObject, *names: str) -> Money:
    """Return the first amount that is stated, in minor units of ISO 4217.

    Args:
        parent: the object; its `currency` is the currency.
        names: members that may hold the amount, the most exact first.

    Raises:
        MalformedMessageError: no member holds an amount, or the currency is missing.
    """
    name = next((name for name in names if parent.get(name) is not None), names[-1])
    amount = parent.get(name)
    if type(amount) is not int or not 0 <= amount <= AMOUNT_MINOR_UNITS_MAX:
        raise MalformedMessageError(f"{name}: expected an integer from 0 to {AMOUNT_MINOR_UNITS_MAX}")
    try:
        money = from_stripe(amount, _currency(parent))
    except AmountError as error:
        raise MalformedMessageError(f"{name}: {error}") from error
    if money.amount > AMOUNT_MINOR_UNITS_MAX:
        raise MalformedMessageError(f"{name}: more than {AMOUNT_MINOR_UNITS_MAX} minor units")
    return money


def _currency(parent: JsonObject) -> str:
    value = parent.get("currency")
    if not isinstance(value, str) or not value:
        raise MalformedMessageError("currency: expected a text")
    currency = currency_code(value)
    if currency is None:
        raise MalformedMessageError("currency: expected three letters")
    return currency
