"""Messages of every topic: each becomes an entry, whatever bytes it holds (AU-1)."""

from collections import Counter
from collections.abc import Sequence

from audit.handlers.appending import Outcome, append_entries
from audit.handlers.entries import expired, read_entry, unreadable
from chassis.dead_letters import Placement
from chassis.messaging.message import Message
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection
from contracts.dead_letters import MessagesLost
from contracts.reasons import SetAsideReason
from contracts.stripe_events import StripeWorld

_log = get_logger(__name__)


class MessageHandler:
    """Appends messages to the EventLog; takes the place of dead letters for the consumer.

    Args:
        metrics: `audit_entries_total`, `audit_duplicates_total`, `audit_conflicts_total`.
        world: mode and account whose Stripe events are applied (BK-7a).
    """

    def __init__(self, metrics: Metrics, world: StripeWorld) -> None:
        self._world = world
        self._entries = metrics.counter("entries")
        self._duplicates = metrics.counter("duplicates")
        self._conflicts = metrics.counter("conflicts")

    async def apply(self, connection: Connection, messages: Sequence[Message]) -> int:
        """Append a batch inside the caller's transaction. Return the number of new entries."""
        outcome = await append_entries(connection, [read_entry(message, self._world) for message in messages])
        self._count(outcome)
        return len(outcome.entries)

    async def partition_batch(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Return all messages as free: the log stores every message, none waits behind another."""
        del connection
        return Placement(free=list(messages))

    async def lock(self, connection: Connection, message: Message) -> None:
        """Lock nothing: no message waits here, so no other session works on one."""
        del connection, message

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Record that a message could not be appended as an event. The message's bytes are kept.

        The entry holds the error's class only: the error's text may quote the message (AU-6).
        """
        kind = error.partition(":")[0]
        entry = unreadable(message, f"{reason.value} after {attempts} attempts: {kind}")
        self._count(await append_entries(connection, [entry]))
        return True

    async def record_loss(self, connection: Connection, lost: MessagesLost) -> None:
        """Record once that records of a topic were deleted before they were read."""
        self._count(await append_entries(connection, [expired(lost)]))

    def _count(self, outcome: Outcome) -> None:
        for status, count in Counter(entry.status for entry in outcome.entries).items():
            self._entries.labels(status).inc(count)
        self._duplicates.inc(outcome.duplicates)
        self._conflicts.inc(outcome.conflicts)
        if outcome.conflicts:
            _log.error("messages contradict the log", conflicts=outcome.conflicts)
        if outcome.waiting:
            _log.warning("status histories wait for a missing version", bookings=outcome.waiting)
