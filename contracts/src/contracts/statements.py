"""What a message says, apart from how it was written: two writings of one event are copies (BK-10a)."""

import hashlib
import json
from collections.abc import Mapping
from typing import cast

from contracts.ids import booking_id_of, id_or_digest
from contracts.stripe_events import JsonObject, JsonObjectError, read_stripe_event, referenced_booking

Statement = Mapping[str, str | int | bool]
"""Names of facts and what is said of each; a fact that is not told has no name here."""

_ENVELOPE = ("id", "type", "created", "livemode", "account")
_OBJECT = (
    "id", "object", "amount", "amount_received", "amount_captured", "amount_refunded", "amount_total",
    "amount_paid", "currency", "status", "payment_status", "payment_intent", "charge",
)  # fmt: skip
_RENAMED = {"requires_source": "requires_payment_method", "requires_source_action": "requires_action"}
"""Statuses of a payment intent until API version 2019-02-11."""
_BIGGEST_INTEGER = 2**63


def stripe_statement(body: bytes) -> Statement | None:
    """Return what a Stripe event says; None where it is none, and can only be compared by its bytes.

    API versions, `pending_webhooks` and `request` change how an event is written and are no part of it.
    References of people are told by digest, unless they are a booking's id: a statement is kept.
    """
    try:
        event = read_stripe_event(body)
    except JsonObjectError:
        return None
    if event.type is None or not isinstance(event.members.get("id"), str):
        return None
    subject = event.subject or event.related
    said = {name: event.members.get(name) for name in _ENVELOPE}
    said |= {f"object.{name}": _named(subject.get(name)) for name in _OBJECT}
    said |= _references(subject)
    return {name: value for name, told in said.items() if (value := _scalar(told)) is not None}


def agree(first: Statement, second: Statement) -> bool:
    """Tell whether two statements can be of one event: whatever both tell, they tell alike."""
    return all(first[name] == second[name] for name in first.keys() & second.keys())


def pack_statement(statement: Statement | None) -> str | None:
    """Return the statement as ASCII text for a table."""
    return None if statement is None else json.dumps(dict(statement), separators=(",", ":"))


def unpack_statement(packed: str | None) -> Statement | None:
    """Return the statement that `pack_statement` took."""
    return None if packed is None else cast("Statement", json.loads(packed))


def _references(subject: JsonObject) -> dict[str, object]:
    booking = referenced_booking(subject)
    names = isinstance(subject.get("metadata"), dict)
    client = subject.get("client_reference_id")
    return {
        "booking": _private(booking) if booking else "" if names else None,
        "client_reference": _private(client) if isinstance(client, str) else None,
    }


def _named(value: object) -> object:
    """An object that stands in the place of its id, as expanded members do, counts as the id."""
    if isinstance(value, dict):
        return cast("JsonObject", value).get("id")
    return _RENAMED.get(value, value) if isinstance(value, str) else value


def _private(text: str) -> str:
    return booking_id_of(text) or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _scalar(value: object) -> str | int | bool | None:
    if isinstance(value, str):
        return id_or_digest(value)
    return value if isinstance(value, int) and abs(value) < _BIGGEST_INTEGER else None
