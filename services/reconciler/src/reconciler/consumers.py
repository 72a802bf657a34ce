"""Consumers of the reconciler: its own commands, and events of bookings."""

from functools import partial

from chassis.consuming import Consumer
from chassis.consuming.broker import Consumers, build_broker
from chassis.dead_letters import DeadLetters
from chassis.kafka.connection import KafkaConnection
from chassis.messaging.inbox import conflict_counter
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.topics import BOOKINGS_EVENTS, RECONCILIATION_COMMANDS
from reconciler.handlers import messages
from reconciler.handlers.commands import misplaced_commands
from reconciler.settings import SERVICE

FETCH_WAIT_MILLISECONDS = 250
"""Most events of bookings are of no interest here, and nobody waits for the others."""


def build_consumers(database: Database, kafka: KafkaConnection, metrics: Metrics) -> Consumers:
    """Build this process's member of the service's consumer group."""
    broker = build_broker(kafka, client_id=SERVICE)
    consumer = Consumer(
        SERVICE,
        database=database,
        apply=partial(messages.apply, count_conflicts=conflict_counter(metrics)),
        set_aside=DeadLetters(SERVICE, check=misplaced_commands),
        topic_prefix=kafka.topic_prefix,
        metrics=metrics,
    )
    topics = (RECONCILIATION_COMMANDS.name, BOOKINGS_EVENTS.name)
    consumer.subscribe(broker, *topics, fetch_wait_milliseconds=FETCH_WAIT_MILLISECONDS)
    return Consumers(broker, [consumer])
