"""Events of another Stripe mode or account, or without their object: not applied, and reported once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from booking.adapters.stripe_claims import claim_of
from booking.adapters.unapplied_events import UnappliedKey, insert_unapplied
from booking.domain.payments import NotApplied
from booking.handlers.publishing import announcement
from chassis.messaging.inbox import event_identity
from chassis.messaging.message import Message
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection
from contracts.stripe_events import JsonObjectError, StripeEvent, StripeWorld, read_stripe_event

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unapplied:
    """A message that changes nothing, and why."""

    message: Message
    event: StripeEvent
    reason: NotApplied

    @property
    def key(self) -> UnappliedKey:
        """What is reported once."""
        return *event_identity(self.message), self.reason.value


def find_unapplied(message: Message, world: StripeWorld) -> Unapplied | None:
    """Return the message with the reason why it changes nothing here; None for one that may be applied."""
    try:
        event = read_stripe_event(message.value)
    except JsonObjectError:
        return None
    reason = world.not_applied(event)
    return None if reason is None else Unapplied(message, event, NotApplied(reason))


async def report_unapplied(connection: Connection, found: Sequence[Unapplied]) -> None:
    """Publish an anomaly for each that tells of money and was not reported before."""
    by_key = {each.key: each for each in found if each.event.tells_of_money}
    recorded = await insert_unapplied(connection, list(by_key))
    events: list[OutgoingEvent] = []
    for key, recorded_at in recorded.items():
        each = by_key[key]
        claim = claim_of(each.event, each.reason, event_id=each.message.metadata.id)
        events.append(caused_by(announcement(claim, recorded_at), each.message.metadata))
        _log.warning("event not applied", event_id=each.message.metadata.id, reason=each.reason.value)
    await append(connection, events)


def unapplied_counter(metrics: Metrics) -> Callable[[NotApplied], None]:
    """Count `events_not_applied_total` by reason; a message that Kafka delivers again is counted again."""
    counter = metrics.counter(
        "events_not_applied", "Stripe events of another mode or account, or without their object", "reason"
    )
    for reason in NotApplied:
        counter.labels(reason.value)
    return lambda reason: counter.labels(reason.value).inc()
