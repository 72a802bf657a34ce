"""Consumers of audit: every topic (AU-1)."""

import re

from audit.handlers.messages import MessageHandler
from audit.settings import SERVICE, AuditSettings
from chassis.consuming import Consumer
from chassis.consuming.broker import Consumers, build_broker
from chassis.kafka.connection import KafkaConnection
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.topics import TOPICS, WEBHOOK_TOPIC_PATTERN

# Topics whose card names audit as a consumer, and topics of webhook sources that configuration adds.
TOPIC_PATTERN = "(?:{})".format(
    "|".join([WEBHOOK_TOPIC_PATTERN, *(re.escape(card.name) for card in TOPICS if SERVICE in card.consumers)])
)

FETCH_WAIT_MILLISECONDS = 50
"""An entry is read by people and by queries. In larger batches it costs less."""


def build_consumers(
    settings: AuditSettings, database: Database, kafka: KafkaConnection, metrics: Metrics
) -> Consumers:
    """Build this process's member of the service's consumer group."""
    broker = build_broker(kafka, client_id=SERVICE)
    handler = MessageHandler(metrics, settings.stripe_world)
    consumer = Consumer(
        SERVICE,
        database=database,
        apply=handler.apply,
        set_aside=handler,
        topic_prefix=kafka.topic_prefix,
        metrics=metrics,
    )
    consumer.subscribe(broker, pattern=TOPIC_PATTERN, fetch_wait_milliseconds=FETCH_WAIT_MILLISECONDS)
    return Consumers(broker, [consumer])
