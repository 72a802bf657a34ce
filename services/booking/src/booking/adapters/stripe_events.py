"""Facts that Stripe's events tell of (docs.stripe.com/api/events). A new type is one entry of the table."""

import re
from collections.abc import Callable, Mapping

from booking.adapters.stripe_objects import (
    read_charge,
    read_dispute,
    read_intent,
    read_invoice,
    read_invoice_payment,
    read_refund,
    read_session,
)
from booking.adapters.stripe_values import required_object, seconds
from booking.domain.facts import Fact
from booking.domain.thin_events import ThinEvent
from chassis.messaging.failures import MalformedMessageError
from contracts.stripe_events import JsonObject, JsonObjectError, StripeEvent
from contracts.text import sanitize_for_postgres
from contracts.times import TimeError, parse_time

PREFIX = "stripe."
_V1 = "v1."
# Of an object that the API can be asked for.
_OBJECT_ID = re.compile("[A-Za-z0-9_]{1,255}")

# Object, event type, event id and time of the event → facts.
Reader = Callable[[JsonObject, str, str, int], list[Fact]]

# An event of another type is admitted and changes nothing.
READERS: Mapping[str, Reader] = {
    "stripe.payment_intent.succeeded": read_intent,
    "stripe.payment_intent.payment_failed": read_intent,
    "stripe.payment_intent.canceled": read_intent,
    "stripe.payment_intent.processing": read_intent,
    "stripe.checkout.session.completed": read_session,
    "stripe.checkout.session.async_payment_succeeded": read_session,
    "stripe.checkout.session.async_payment_failed": read_session,
    "stripe.checkout.session.expired": read_session,
    "stripe.invoice.paid": read_invoice,
    "stripe.invoice.payment_succeeded": read_invoice,
    "stripe.invoice.payment_failed": read_invoice,
    "stripe.invoice_payment.paid": read_invoice_payment,
    "stripe.charge.succeeded": read_charge,
    "stripe.charge.captured": read_charge,
    "stripe.charge.failed": read_charge,
    "stripe.charge.refunded": read_charge,
    "stripe.charge.refund.updated": read_refund,
    "stripe.refund.created": read_refund,
    "stripe.refund.updated": read_refund,
    "stripe.refund.failed": read_refund,
    "stripe.charge.dispute.created": read_dispute,
    "stripe.charge.dispute.updated": read_dispute,
    "stripe.charge.dispute.funds_withdrawn": read_dispute,
    "stripe.charge.dispute.funds_reinstated": read_dispute,
    "stripe.charge.dispute.closed": read_dispute,
}

# The type of object that a reader reads.
OBJECT_TYPES: Mapping[Reader, str] = {
    read_intent: "payment_intent",
    read_session: "checkout.session",
    read_invoice: "invoice",
    read_invoice_payment: "invoice_payment",
    read_charge: "charge",
    read_refund: "refund",
    read_dispute: "dispute",
}


def read_facts(event_type: str, event: StripeEvent | JsonObjectError, *, event_id: str) -> tuple[Fact, ...]:
    """Return the facts that an event tells of; none for a type that has no reader.

    Args:
        event_type: `ce_type` of the message.
        event: the body as it was read; the error of a body that cannot be read.
        event_id: of the message.

    Raises:
        MalformedMessageError: not a JSON object, or a member that the reader needs is missing or unusable.
    """
    reader = READERS.get(event_type)
    if reader is None:
        return ()
    if isinstance(event, JsonObjectError):
        raise MalformedMessageError(str(event)) from event
    subject = required_object(required_object(event.members, "data"), "object")
    # If the event has no time, use the object's.
    occurred_at = seconds(event.members.get("created")) or seconds(subject.get("created")) or 0
    return tuple(reader(subject, event_type, sanitize_for_postgres(event_id), occurred_at))


def read_thin_event(event: StripeEvent, *, source: str, event_id: str) -> ThinEvent | None:
    """Return a thin event whose object can be fetched and read; None for any other event.

    Args:
        event: an event about money.
        source: of the message.
        event_id: of the message.
    """
    event_type = PREFIX + (event.type or "").removeprefix(_V1)
    reader = READERS.get(event_type)
    object_id = event.related.get("id")
    if (
        not event.is_thin
        or reader is None
        or event.related.get("type") != OBJECT_TYPES[reader]
        or not isinstance(object_id, str)
        or _OBJECT_ID.fullmatch(object_id) is None
    ):
        return None
    return ThinEvent(
        source=source,
        event_id=event_id,
        event_type=event_type,
        object_type=OBJECT_TYPES[reader],
        object_id=object_id,
        occurred_at=_time_of(event),
    )


def read_object(event: ThinEvent, fetched: JsonObject) -> tuple[Fact, ...]:
    """Return the facts that a thin event tells of, as a snapshot event with this object would.

    Raises:
        MalformedMessageError: a member that the reader needs is missing or unusable.
    """
    occurred_at = event.occurred_at or seconds(fetched.get("created")) or 0
    return tuple(READERS[event.event_type](fetched, event.event_type, event.event_id, occurred_at))


def _time_of(event: StripeEvent) -> int:
    """Return the time of the event in seconds; thin events have it as text. 0 without a usable time."""
    created = event.members.get("created")
    if isinstance(created, str):
        try:
            return seconds(int(parse_time(created).timestamp())) or 0
        except TimeError:
            return 0
    return seconds(created) or 0
