"""The topics that the reconciler reads: its own commands, and what happens to bookings."""

from functools import partial

from faststream.kafka import KafkaBroker

from chassis.consuming import Consumer
from chassis.dead_letters import DeadLetters
from chassis.messaging.inbox import conflict_counter
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.topics import BOOKINGS_EVENTS, RECONCILIATION_COMMANDS
from reconciler.handlers import messages
from reconciler.handlers.commands import misplaced_commands
from reconciler.settings import SERVICE


def build_consumer(
    broker: KafkaBroker, database: Database, metrics: Metrics, *, topic_prefix: str
) -> Consumer:
    """The one member of the consumer group that this process is."""
    consumer = Consumer(
        SERVICE,
        database=database,
        apply=partial(messages.apply, count_conflicts=conflict_counter(metrics)),
        set_aside=DeadLetters(SERVICE, check=misplaced_commands),
        topic_prefix=topic_prefix,
        metrics=metrics,
    )
    consumer.subscribe(broker, RECONCILIATION_COMMANDS.name, BOOKINGS_EVENTS.name)
    return consumer
