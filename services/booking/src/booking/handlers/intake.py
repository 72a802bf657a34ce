"""A batch from the webhook topics: admitted once, payments applied, everything else left (BK-7, BK-10).

Further event types and inbound SMS join here; until then they are admitted and change nothing.
"""

from collections.abc import Callable, Sequence

from booking.adapters.stripe_events import parse_payment
from booking.handlers.identity_conflicts import report_conflicts
from booking.handlers.payments import Arrival, apply_payments
from chassis.inbox import admit
from chassis.messages import Message
from chassis.postgres import Connection
from contracts.statements import Statement, stripe_statement
from contracts.topics import WEBHOOKS_STRIPE

PAYMENT_SUCCEEDED = "stripe.payment_intent.succeeded"


async def apply(
    connection: Connection,
    messages: Sequence[Message],
    *,
    count_conflicts: Callable[[float], None] | None = None,
) -> int:
    """Apply a batch inside the caller's transaction. Returns how many payments it had.

    Args:
        connection: in a transaction.
        messages: in order.
        count_conflicts: told how many had the id of an event with another body.

    Raises:
        MalformedMessageError: a message cannot be read.
    """
    admission = await admit(connection, messages, statement_of=_statement)
    await report_conflicts(connection, admission.conflicts)
    if count_conflicts:
        count_conflicts(len(admission.conflicts))
    payments = [_arrival(message) for message in admission.fresh if _is_payment(message)]
    await apply_payments(connection, payments)
    return len(payments)


def _statement(message: Message) -> Statement | None:
    """What the inbox compares: Stripe renders one event in several ways (BK-10a)."""
    return stripe_statement(message.value) if message.topic == WEBHOOKS_STRIPE.name else None


def _is_payment(message: Message) -> bool:
    return message.topic == WEBHOOKS_STRIPE.name and message.metadata.type == PAYMENT_SUCCEEDED


def _arrival(message: Message) -> Arrival:
    return Arrival(parse_payment(message.value, event_id=message.metadata.id), message.metadata)
