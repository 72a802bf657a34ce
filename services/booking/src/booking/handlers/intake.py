"""A batch from the webhook topics: admitted once, payments applied, everything else left (BK-7, BK-10).

Further event types and inbound SMS join here; until then they are admitted and change nothing.
"""

from collections.abc import Callable, Sequence

from booking.adapters.stripe_events import parse_payment
from booking.handlers.identity_conflicts import report_conflicts
from booking.handlers.payments import Arrival, apply_payments
from chassis.errors import MalformedMessageError
from chassis.inbox import admit
from chassis.messages import Message
from chassis.postgres import Connection
from contracts.metadata import VERIFICATION_HEADER
from contracts.statements import Statement, stripe_statement
from contracts.topics import WEBHOOKS_STRIPE

PAYMENT_SUCCEEDED = "stripe.payment_intent.succeeded"

_UNVERIFIED = b"unverified"


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
        MalformedMessageError: a message cannot be read, or nobody vouches for it.
    """
    for message in messages:
        refuse_unverified(message)
    admission = await admit(connection, messages, statement_of=_statement)
    await report_conflicts(connection, admission.conflicts)
    if count_conflicts:
        count_conflicts(len(admission.conflicts))
    payments = [_arrival(message) for message in admission.fresh if _is_payment(message)]
    await apply_payments(connection, payments)
    return len(payments)


def refuse_unverified(message: Message) -> None:
    """Set aside what Stripe did not sign, before its event id takes the place of a true one in the inbox.

    The gateway verifies Stripe always, so a record marked otherwise is a fault of ours that a person must
    see. A record without the mark comes from another producer that may write to the topic.

    Raises:
        MalformedMessageError: a record of the Stripe topic is marked as unverified.
    """
    mark = dict(message.headers).get(VERIFICATION_HEADER)
    if message.topic == WEBHOOKS_STRIPE.name and mark == _UNVERIFIED:
        raise MalformedMessageError("an unverified Stripe event moves no money: find out who published it")


def _statement(message: Message) -> Statement | None:
    """What the inbox compares: Stripe renders one event in several ways (BK-10a)."""
    return stripe_statement(message.value) if message.topic == WEBHOOKS_STRIPE.name else None


def _is_payment(message: Message) -> bool:
    return message.topic == WEBHOOKS_STRIPE.name and message.metadata.type == PAYMENT_SUCCEEDED


def _arrival(message: Message) -> Arrival:
    return Arrival(parse_payment(message.value, event_id=message.metadata.id), message.metadata)
