"""Facts of a message, independent of its rendering: two renderings of one event are copies (BK-10a)."""

import hashlib
import json
from collections.abc import Mapping
from typing import cast

from contracts.ids import booking_id_of, id_or_digest
from contracts.stripe_events import (
    JsonObject,
    JsonObjectError,
    StripeEvent,
    read_stripe_event,
    referenced_booking,
)

# Name of a fact → value. A fact that the message does not state is absent.
Statement = Mapping[str, str | int | bool]

_ENVELOPE = ("id", "type", "created", "livemode", "account")
_OBJECT = (
    "id", "object", "amount", "amount_received", "amount_captured", "amount_refunded", "amount_total",
    "amount_paid", "currency", "status", "payment_status", "payment_intent", "charge",
    "latest_charge", "invoice", "paid_out_of_band",
)  # fmt: skip
# Statuses of a payment intent until API version 2019-02-11.
_RENAMED = {"requires_source": "requires_payment_method", "requires_source_action": "requires_action"}
_BIGGEST_INTEGER = 2**63
# One for all statements: `json.dumps` with an option makes an encoder for each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def stripe_statement(body: bytes) -> Statement | None:
    """Return the facts of a Stripe event; None if the body is no event and can only be compared by its bytes.

    API versions, `pending_webhooks` and `request` change the rendering of an event and are left out.
    References written by people are stored as a digest, unless they are a booking's id.
    """
    try:
        return statement_of(read_stripe_event(body))
    except JsonObjectError:
        return None


def statement_of(event: StripeEvent) -> Statement | None:
    """Return the facts of an event that was read before (`stripe_statement`)."""
    members, subject = event.members, event.subject or event.related
    if event.type is None or not isinstance(members.get("id"), str):
        return None
    facts = {name: members[name] for name in _ENVELOPE if name in members}
    facts |= {f"object.{name}": _id_or_value(subject[name]) for name in _OBJECT if name in subject}
    facts |= _references(subject)
    return {name: value for name, fact in facts.items() if (value := _scalar(fact)) is not None}


def agree(first: Statement, second: Statement) -> bool:
    """Return True if two statements can be of one event: facts that both state are equal."""
    return all(first[name] == second[name] for name in first.keys() & second.keys())


def pack_statement(statement: Statement | None) -> str | None:
    """Return the statement as ASCII text for a table."""
    return None if statement is None else _ENCODER.encode(dict(statement))


def unpack_statement(packed: str | None) -> Statement | None:
    """Return the statement in a result of `pack_statement`."""
    return None if packed is None else cast("Statement", json.loads(packed))


def _references(subject: JsonObject) -> dict[str, object]:
    booking = referenced_booking(subject)
    names = isinstance(subject.get("metadata"), dict)
    client = subject.get("client_reference_id")
    return {
        "booking": _private(booking) if booking else "" if names else None,
        "client_reference": _private(client) if isinstance(client, str) else None,
    }


def _id_or_value(value: object) -> object:
    # An expanded member is an object in the place of its id.
    if isinstance(value, dict):
        return cast("JsonObject", value).get("id")
    return _RENAMED.get(value, value) if isinstance(value, str) else value


def _private(text: str) -> str:
    return booking_id_of(text) or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _scalar(value: object) -> str | int | bool | None:
    if isinstance(value, str):
        return id_or_digest(value)
    return value if isinstance(value, int) and abs(value) < _BIGGEST_INTEGER else None
