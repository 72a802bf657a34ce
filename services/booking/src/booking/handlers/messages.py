"""Messages of the webhook topics: each admitted once; facts about money and SMS applied (BK-7, BK-9, BK-10).

A new Stripe event type is an entry and a reader in `booking.adapters.stripe_events`.
"""

from collections.abc import Callable, Sequence

from booking.adapters.stripe_events import read_facts
from booking.adapters.thin_events import insert_thin_events
from booking.domain.payments import NotApplied
from booking.handlers.identity_conflicts import report_conflicts
from booking.handlers.money import IncomingFacts, apply_facts, money_constraints
from booking.handlers.sms import apply_sms
from booking.handlers.thin_events import thin_event_of
from booking.handlers.unapplied_events import UnappliedEvent, find_unapplied, report_unapplied
from chassis.messaging.inbox import admit
from chassis.messaging.message import Message
from chassis.postgres import Connection
from contracts.statements import Statement, stripe_statement
from contracts.stripe_events import StripeWorld
from contracts.topics import WEBHOOKS_SMS, WEBHOOKS_STRIPE


async def apply(
    connection: Connection,
    messages: Sequence[Message],
    *,
    world: StripeWorld,
    count_conflicts: Callable[[float], None] | None = None,
    count_unapplied: Callable[[NotApplied], None] | None = None,
    fetches_objects: bool = False,
) -> int:
    """Apply a batch inside the caller's transaction. Return the number of messages with facts or an SMS.

    Args:
        connection: in a transaction.
        messages: in order.
        world: mode and account whose events are applied (BK-7a).
        count_conflicts: called with the number of known event ids that came with another body.
        count_unapplied: called with the reason for each event that is not applied.
        fetches_objects: True if a job fetches the objects of thin events (BK-7b).

    Raises:
        MalformedMessageError: a message cannot be read.
    """
    ignored = set[Message]()
    unapplied = [event for message in messages if (event := _unapplied(message, world))]
    if fetches_objects:
        thin = {event.message: entry for event in unapplied if (entry := thin_event_of(event))}
        await insert_thin_events(connection, list(thin.values()))
        ignored, unapplied = set(thin), [event for event in unapplied if event.message not in thin]
    await report_unapplied(connection, unapplied)
    if count_unapplied:
        for event in unapplied:
            count_unapplied(event.reason)
    ignored |= {event.message for event in unapplied}
    applicable = [message for message in messages if message not in ignored]
    admission = await admit(connection, applicable, statement_of=_statement)
    await report_conflicts(connection, admission.conflicts)
    if count_conflicts:
        count_conflicts(len(admission.conflicts))
    fresh = admission.fresh
    incoming = [facts for message in fresh if (facts := _incoming_facts(message))]
    with money_constraints():
        await apply_facts(connection, incoming)
    recorded = await apply_sms(connection, [m for m in fresh if m.topic == WEBHOOKS_SMS.name])
    return len(incoming) + recorded


def _unapplied(message: Message, world: StripeWorld) -> UnappliedEvent | None:
    return find_unapplied(message, world) if message.topic == WEBHOOKS_STRIPE.name else None


def _statement(message: Message) -> Statement | None:
    """Return what the inbox compares: Stripe renders one event in several ways (BK-10a)."""
    return stripe_statement(message.value) if message.topic == WEBHOOKS_STRIPE.name else None


def _incoming_facts(message: Message) -> IncomingFacts | None:
    if message.topic != WEBHOOKS_STRIPE.name:
        return None
    facts = read_facts(message.metadata.type, message.value, event_id=message.metadata.id)
    return IncomingFacts(facts, message) if facts else None
