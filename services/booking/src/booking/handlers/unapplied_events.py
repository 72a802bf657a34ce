"""Stripe events that are not applied (other mode, other account, no object): each is reported once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from booking.adapters.stripe_anomalies import anomaly_of
from booking.adapters.unapplied_events import UnappliedKey, insert_unapplied
from booking.domain.payments import NotApplied
from booking.handlers.outgoing_events import outgoing_event
from chassis.messaging.inbox import event_identity
from chassis.messaging.message import Message
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection
from contracts.stripe_events import StripeEvent, StripeWorld

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UnappliedEvent:
    """A message whose event changes nothing, and the reason.

    Attributes:
        failure: why the object of a thin event was not fetched; None if it was not asked for.
    """

    message: Message
    event: StripeEvent
    reason: NotApplied
    failure: str | None = None

    @property
    def key(self) -> UnappliedKey:
        """Key under which the event is reported once."""
        return *event_identity(self.message), self.reason.value


def find_unapplied(message: Message, event: StripeEvent, world: StripeWorld) -> UnappliedEvent | None:
    """Return the event with the reason why it changes nothing here; None for one that may be applied."""
    reason = world.not_applied(event)
    return None if reason is None else UnappliedEvent(message, event, NotApplied(reason))


async def report_unapplied(connection: Connection, unapplied: Sequence[UnappliedEvent]) -> None:
    """Publish an anomaly for each event that tells of money and was not reported before."""
    by_key = {event.key: event for event in unapplied if event.event.is_about_money}
    recorded = await insert_unapplied(connection, list(by_key))
    outgoing: list[OutgoingEvent] = []
    for key, recorded_at in recorded.items():
        event, metadata = by_key[key], by_key[key].message.metadata
        anomaly = anomaly_of(event.event, event.reason, event_id=metadata.id, failure=event.failure)
        outgoing.append(caused_by(outgoing_event(anomaly, recorded_at), metadata))
        _log.warning("event not applied", event_id=metadata.id, reason=event.reason.value)
    await append(connection, outgoing)


def unapplied_counter(metrics: Metrics) -> Callable[[NotApplied], None]:
    """Return a function that counts `events_not_applied_total` by reason; redeliveries count again."""
    counter = metrics.counter("events_not_applied")
    for reason in NotApplied:
        counter.labels(reason.value)
    return lambda reason: counter.labels(reason.value).inc()
