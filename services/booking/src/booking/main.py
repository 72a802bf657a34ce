"""The composition root: the only place that knows all parts."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

from litestar.di import Provide

from booking.adapters.transitions import TABLE
from booking.api import ACCESS, ROUTES
from booking.consumers import build_consumers
from booking.handlers.intake import apply
from booking.settings import BookingSettings, OfflineSettings
from chassis.auth.setup import build_auth
from chassis.dead_letters.history import ACTION_TABLE
from chassis.dead_letters.metrics import DeadLetterMeter
from chassis.dead_letters.operator.routes import dead_letter_routes
from chassis.http import build_app
from chassis.kafka import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.kafka.topics_check import TopicsGuard
from chassis.messaging.inbox_retention import InboxRetention
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.postgres.append_only import AppendOnlyGuard
from chassis.postgres.migrations_check import MigrationsGuard
from chassis.postgres.read_pool import ReadPool
from chassis.process.component import Part
from chassis.process.health import Health
from chassis.process.lifecycle import Lifecycle
from chassis.relay import Relay
from chassis.service import Service
from contracts.topics import topics_of

NAME = "booking"


class Duty(StrEnum):
    """What a process of this service does; health and metrics are served always."""

    API = "api"
    CONSUMERS = "consumers"
    RELAY = "relay"


def open_database(settings: BookingSettings | OfflineSettings) -> Database:
    """The service's database, with its own role."""
    return Database(settings.booking_postgres_dsn.get_secret_value(), application_name=NAME)


def build(settings: BookingSettings, duties: Sequence[Duty] = tuple(Duty)) -> Service:
    """The service, composed and not yet started."""
    metrics, health = Metrics(NAME), Health()
    database = open_database(settings)
    searches = ReadPool(settings.booking_postgres_dsn.get_secret_value(), application_name=f"{NAME}-searches")
    database.measure(metrics, searches)
    guard = AppendOnlyGuard(database, [TABLE, ACTION_TABLE], packages=("chassis", NAME))
    parts: list[Part] = [database, searches, MigrationsGuard(database, NAME), guard]
    kafka = KafkaConnection.from_settings(settings)
    if set(duties) - {Duty.API}:
        parts.append(TopicsGuard(kafka, topics_of(NAME)))
    if Duty.RELAY in duties:
        producer = Producer(kafka, client_id=NAME, metrics=metrics)
        parts += [producer, Relay(database, producer, metrics)]
    if Duty.CONSUMERS in duties:
        consumers = build_consumers(NAME, database, kafka, metrics, settings.stripe_world)
        parts += [consumers, DeadLetterMeter(database, NAME, metrics)]
        parts.append(InboxRetention(database, settings.inbox_retention, metrics))
    auth = build_auth(settings, ACCESS, health=health, metrics=metrics)
    replay = partial(apply, world=settings.stripe_world)
    lifecycle = Lifecycle(settings, [*auth.parts, *parts], health)
    app = build_app(
        title="Plumbline booking",
        handlers=[*ROUTES, dead_letter_routes(NAME, replay)] if Duty.API in duties else (),
        health=health,
        metrics=metrics,
        guard=auth.guard,
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "searches": Provide(lambda: searches, sync_to_thread=False),
            "time_zone": Provide(lambda: settings.business_time_zone, sync_to_thread=False),
        },
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
    )
    return Service(NAME, settings, app, lifecycle, host=settings.booking_host, port=settings.booking_port)
