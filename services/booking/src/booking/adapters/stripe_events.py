"""Facts that Stripe's events tell of (docs.stripe.com/api/events). A new type is one entry of the table."""

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
from chassis.messaging.failures import MalformedMessageError
from contracts.stripe_events import JsonObject, JsonObjectError, read_stripe_event
from contracts.text import sanitize_for_postgres

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


def read_facts(event_type: str, body: bytes, *, event_id: str) -> tuple[Fact, ...]:
    """Return the facts that an event tells of; none for a type that has no reader.

    Args:
        event_type: `ce_type` of the message.
        body: the event as Stripe sent it.
        event_id: of the message.

    Raises:
        MalformedMessageError: not a JSON object, or a member that the reader needs is missing or unusable.
    """
    reader = READERS.get(event_type)
    if reader is None:
        return ()
    try:
        event = read_stripe_event(body)
    except JsonObjectError as error:
        raise MalformedMessageError(str(error)) from error
    subject = required_object(required_object(event.members, "data"), "object")
    # Without a time of the event, the object's own comes nearest.
    occurred_at = seconds(event.members.get("created")) or seconds(subject.get("created")) or 0
    return tuple(reader(subject, event_type, sanitize_for_postgres(event_id), occurred_at))
