"""Every topic into the log (AU-1). Whatever a record holds, it is recorded and its offset passes."""

import re
from collections.abc import Sequence

from audit.handlers.appending import Outcome, append_entries, append_messages
from audit.handlers.messages import expired, unreadable
from audit.settings import SERVICE
from chassis.consuming import Consumer
from chassis.dead_letters import Placement
from chassis.messaging.message import Message
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database
from contracts.dead_letters import MessagesLost
from contracts.reasons import SetAsideReason
from contracts.stripe_events import StripeWorld
from contracts.topics import TOPICS, WEBHOOK_TOPIC_PATTERN

_log = get_logger(__name__)

TOPIC_PATTERN = "(?:{})".format(
    "|".join([WEBHOOK_TOPIC_PATTERN, *(re.escape(card.name) for card in TOPICS if SERVICE in card.consumers)])
)
"""Topics whose card names audit as a consumer, and those of webhook sources that configuration adds."""


class EventLogConsumer:
    """Appends batches, and the fact that a record could not be appended as what it is.

    Args:
        metrics: `audit_entries_total`, `audit_duplicates_total`, `audit_conflicts_total`.
        world: whose Stripe events count (BK-7a).
    """

    def __init__(self, metrics: Metrics, world: StripeWorld) -> None:
        self._world = world
        self._entries = metrics.counter("entries")
        self._duplicates = metrics.counter("duplicates")
        self._conflicts = metrics.counter("conflicts")

    async def append(self, connection: Connection, messages: Sequence[Message]) -> int:
        """Append a batch inside the caller's transaction. Returns how many entries that made."""
        outcome = await append_messages(connection, messages, self._world)
        self._observe(outcome)
        return len(outcome.entries)

    async def partition_batch(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """All are free: no message waits behind another here, the log takes them all."""
        del connection
        return Placement(free=list(messages))

    async def lock(self, connection: Connection, message: Message) -> None:
        """Nothing waits here that somebody else could work on."""
        del connection, message

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Record that a message could not be recorded as what it is; its bytes are kept.

        Only the error's class is told: its text may quote the message (AU-6).
        """
        kind = error.partition(":")[0]
        entry = unreadable(message, f"{reason.value} after {attempts} attempts: {kind}")
        self._observe(await append_entries(connection, [entry]))
        return True

    async def record_loss(self, connection: Connection, lost: MessagesLost) -> None:
        """Record that the log lacks a range of a topic, once."""
        self._observe(await append_entries(connection, [expired(lost)]))

    def _observe(self, outcome: Outcome) -> None:
        for entry in outcome.entries:
            self._entries.labels(entry.status).inc()
        self._duplicates.inc(outcome.duplicates)
        self._conflicts.inc(outcome.conflicts)
        if outcome.conflicts:
            _log.error("messages contradict the log", conflicts=outcome.conflicts)
        if outcome.waiting:
            _log.warning("status histories wait for a missing version", bookings=outcome.waiting)


def build_consumer(
    database: Database, metrics: Metrics, *, world: StripeWorld, topic_prefix: str
) -> Consumer:
    """The service's only consumer, not yet subscribed."""
    log = EventLogConsumer(metrics, world)
    return Consumer(
        SERVICE,
        database=database,
        apply=log.append,
        set_aside=log,
        topic_prefix=topic_prefix,
        metrics=metrics,
    )
