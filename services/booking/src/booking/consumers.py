"""Which topics booking listens to."""

from functools import partial

from booking.handlers.intake import apply
from booking.handlers.unapplied import unapplied_counter
from chassis.consuming import Consumer
from chassis.consuming.broker import Consumers, build_broker
from chassis.dead_letters import DeadLetters
from chassis.kafka import KafkaConnection
from chassis.messaging.inbox import conflict_counter
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.stripe_events import StripeWorld
from contracts.topics import WEBHOOKS_SMS, WEBHOOKS_STRIPE


def build_consumers(
    name: str, database: Database, connection: KafkaConnection, metrics: Metrics, world: StripeWorld
) -> Consumers:
    """One member of the service's group, which takes the deliveries of Stripe and of the SMS provider."""
    broker = build_broker(connection, client_id=name)
    consumer = Consumer(
        name,
        database=database,
        apply=partial(
            apply,
            world=world,
            count_conflicts=conflict_counter(metrics),
            count_unapplied=unapplied_counter(metrics),
        ),
        set_aside=DeadLetters(name),
        topic_prefix=connection.topic_prefix,
        metrics=metrics,
    )
    consumer.subscribe(broker, WEBHOOKS_STRIPE.name, WEBHOOKS_SMS.name)
    return Consumers(broker, [consumer])
