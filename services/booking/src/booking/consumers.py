"""Consumers of booking: deliveries of Stripe and of the SMS provider."""

from collections.abc import Callable
from functools import partial

from booking.domain.payments import NotApplied
from booking.handlers import messages
from booking.settings import SERVICE, BookingSettings
from chassis.consuming import Consumer
from chassis.consuming.broker import Consumers, build_broker
from chassis.dead_letters import DeadLetters
from chassis.kafka.connection import KafkaConnection
from chassis.messaging.inbox import conflict_counter
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.topics import WEBHOOKS_SMS, WEBHOOKS_STRIPE

FETCH_WAIT_MILLISECONDS = 25
"""A client waits for the confirmation of a payment, so batches are collected for a short time only."""


def build_consumers(
    settings: BookingSettings,
    database: Database,
    kafka: KafkaConnection,
    metrics: Metrics,
    count_unapplied: Callable[[NotApplied], None],
) -> Consumers:
    """Build this process's member of the service's consumer group."""
    broker = build_broker(kafka, client_id=SERVICE)
    consumer = Consumer(
        SERVICE,
        database=database,
        apply=partial(
            messages.apply,
            world=settings.stripe_world,
            count_conflicts=conflict_counter(metrics),
            count_unapplied=count_unapplied,
            fetches_objects=settings.stripe_api_key is not None,
        ),
        set_aside=DeadLetters(SERVICE),
        topic_prefix=kafka.topic_prefix,
        metrics=metrics,
    )
    topics = (WEBHOOKS_STRIPE.name, WEBHOOKS_SMS.name)
    consumer.subscribe(broker, *topics, fetch_wait_milliseconds=FETCH_WAIT_MILLISECONDS)
    return Consumers(broker, [consumer])
