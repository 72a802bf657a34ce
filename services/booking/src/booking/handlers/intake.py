"""A batch from the webhook topics: admitted once, payments applied, everything else left (BK-7, BK-10).

Further event types and inbound SMS join here; until then they are admitted and change nothing.
"""

from collections.abc import Callable, Sequence

from booking.adapters.stripe_events import parse_payment
from booking.domain.payments import NotApplied
from booking.handlers.identity_conflicts import report_conflicts
from booking.handlers.payments import Arrival, apply_payments
from booking.handlers.unapplied import Unapplied, find_unapplied, report_unapplied
from chassis.messaging.failures import data_constraints
from chassis.messaging.inbox import admit
from chassis.messaging.message import Message
from chassis.postgres import Connection
from contracts.statements import Statement, stripe_statement
from contracts.stripe_events import StripeWorld
from contracts.topics import WEBHOOKS_STRIPE

PAYMENT_SUCCEEDED = "stripe.payment_intent.succeeded"

_OF_PAYMENT = ("payment_captured_check", "payment_currency_check", "booking_captured_check")
"""Constraints on what an event of Stripe says. Any other that refuses a row is not the event's fault."""


async def apply(
    connection: Connection,
    messages: Sequence[Message],
    *,
    world: StripeWorld,
    count_conflicts: Callable[[float], None] | None = None,
    count_unapplied: Callable[[NotApplied], None] | None = None,
) -> int:
    """Apply a batch inside the caller's transaction. Returns how many payments it had.

    Args:
        connection: in a transaction.
        messages: in order.
        world: whose events count (BK-7a).
        count_unapplied: told why an event counts for nothing.
        count_conflicts: told how many had the id of an event with another body.

    Raises:
        MalformedMessageError: a message cannot be read.
    """
    unapplied = [found for message in messages if (found := _unapplied(message, world))]
    await report_unapplied(connection, unapplied)
    if count_unapplied:
        for each in unapplied:
            count_unapplied(each.reason)
    left = {each.message for each in unapplied}
    ours = [message for message in messages if message not in left]
    admission = await admit(connection, ours, statement_of=_statement)
    await report_conflicts(connection, admission.conflicts)
    if count_conflicts:
        count_conflicts(len(admission.conflicts))
    payments = [_arrival(message) for message in admission.fresh if _is_payment(message)]
    with data_constraints(*_OF_PAYMENT):
        await apply_payments(connection, payments)
    return len(payments)


def _unapplied(message: Message, world: StripeWorld) -> Unapplied | None:
    return find_unapplied(message, world) if message.topic == WEBHOOKS_STRIPE.name else None


def _statement(message: Message) -> Statement | None:
    """What the inbox compares: Stripe renders one event in several ways (BK-10a)."""
    return stripe_statement(message.value) if message.topic == WEBHOOKS_STRIPE.name else None


def _is_payment(message: Message) -> bool:
    return message.topic == WEBHOOKS_STRIPE.name and message.metadata.type == PAYMENT_SUCCEEDED


def _arrival(message: Message) -> Arrival:
    return Arrival(parse_payment(message.value, event_id=message.metadata.id), message)
