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
from contracts.statements import Statement, statement_of
from contracts.stripe_events import StripeEvent, StripeWorld, event_or_error
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
    ignored, readings = set[Message](), _Readings(messages)
    unapplied = readings.unapplied(world)
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
    admission = await admit(connection, applicable, statement_of=readings.statement)
    await report_conflicts(connection, admission.conflicts)
    if count_conflicts:
        count_conflicts(len(admission.conflicts))
    fresh = admission.fresh
    incoming = [facts for message in fresh if (facts := readings.facts(message))]
    with money_constraints():
        await apply_facts(connection, incoming)
    recorded = await apply_sms(connection, [m for m in fresh if m.topic == WEBHOOKS_SMS.name])
    return len(incoming) + recorded


class _Readings:
    """The Stripe events of a batch, each read once."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._events = {
            message: event_or_error(message.value)
            for message in messages
            if message.topic == WEBHOOKS_STRIPE.name
        }

    def unapplied(self, world: StripeWorld) -> list[UnappliedEvent]:
        return [
            event_unapplied
            for message, event in self._events.items()
            if isinstance(event, StripeEvent) and (event_unapplied := find_unapplied(message, event, world))
        ]

    def statement(self, message: Message) -> Statement | None:
        """Return what the inbox compares: Stripe renders one event in several ways (BK-10a)."""
        event = self._events.get(message)
        return statement_of(event) if isinstance(event, StripeEvent) else None

    def facts(self, message: Message) -> IncomingFacts | None:
        event = self._events.get(message)
        if event is None:
            return None
        facts = read_facts(message.metadata.type, event, event_id=message.metadata.id)
        return IncomingFacts(facts, message) if facts else None
