"""Composition root: settings in, a service ready to run out."""

from collections.abc import Collection
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer
from litestar.di import Provide

from booking.adapters import entries, imported_bookings, money_facts, revisions, transitions
from booking.adapters.stripe_client import StripeObjects
from booking.api import ACCESS, ROUTES
from booking.commands.database import open_database
from booking.consumers import build_consumers
from booking.handlers import messages
from booking.handlers.unapplied_events import unapplied_counter
from booking.jobs.offer_expiry import OfferExpiry
from booking.jobs.thin_events import ThinEvents
from booking.settings import SERVICE, BookingSettings
from chassis.auth.setup import build_auth
from chassis.dead_letters.history import ACTION_TABLE
from chassis.dead_letters.metrics import DeadLetterGauges
from chassis.dead_letters.operator.routes import dead_letter_routes
from chassis.http.app import build_app
from chassis.http.idempotency.retention import AnswerRetention
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.kafka.topics_check import TopicsStartupCheck
from chassis.messaging.inbox_retention import InboxRetention
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.postgres.append_only import AppendOnlyStartupCheck
from chassis.postgres.migrations_check import MigrationsStartupCheck
from chassis.postgres.read_pool import ReadPool
from chassis.process.command_line import CommandError
from chassis.process.component import Component
from chassis.process.environment import load_settings
from chassis.process.health import Health
from chassis.process.lifecycle import Lifecycle
from chassis.relay.component import Relay
from chassis.service import Service, run_service
from contracts.topics import topics_of
from pricing import published_cards

APPEND_ONLY_TABLES = (
    transitions.TABLE,
    money_facts.TABLE,
    revisions.TABLE,
    entries.TABLE,
    imported_bookings.TABLE,
    ACTION_TABLE,
)


class WorkerRole(StrEnum):
    """Work that a process takes on (`serve --only`). Every process serves health and metrics."""

    API = "api"
    CONSUMERS = "consumers"
    RELAY = "relay"


_ALL = ",".join(WorkerRole)


def build(settings: BookingSettings, roles: Collection[WorkerRole] = tuple(WorkerRole)) -> Service:
    """Compose the service without starting it."""
    published_cards()  # A wrong rate card stops the start, not the first booking.
    metrics, health = Metrics(SERVICE), Health()
    database = open_database(settings)
    searches = ReadPool(
        settings.booking_postgres_dsn.get_secret_value(), application_name=f"{SERVICE}-searches"
    )
    database.measure(metrics, searches)
    auth = build_auth(settings, ACCESS, health=health, metrics=metrics)
    components = [*auth.components, searches, *_components(settings, roles, database, metrics)]
    lifecycle = Lifecycle(settings, components, health)
    apply = partial(
        messages.apply,
        world=settings.stripe_world,
        fetches_objects=settings.stripe_api_key is not None,
    )
    app = build_app(
        title="Plumbline booking",
        handlers=[*ROUTES, dead_letter_routes(SERVICE, apply)] if WorkerRole.API in roles else (),
        health=health,
        metrics=metrics,
        guard=auth.guard,
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "searches": Provide(lambda: searches, sync_to_thread=False),
            "time_zone": Provide(lambda: settings.business_time_zone, sync_to_thread=False),
            "business_country": Provide(lambda: settings.business_country, sync_to_thread=False),
        },
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
        require_if_match=settings.require_if_match,
    )
    return Service(SERVICE, settings, app, lifecycle, host=settings.booking_host, port=settings.booking_port)


def _components(
    settings: BookingSettings, roles: Collection[WorkerRole], database: Database, metrics: Metrics
) -> list[Component]:
    """Return the components in the order in which they start."""
    kafka = KafkaConnection.from_settings(settings)
    components: list[Component] = [
        database,
        MigrationsStartupCheck(database, SERVICE),
        AppendOnlyStartupCheck(database, APPEND_ONLY_TABLES, packages=("chassis", SERVICE)),
    ]
    if set(roles) - {WorkerRole.API}:
        components.append(TopicsStartupCheck(kafka, topics_of(SERVICE)))
    if WorkerRole.RELAY in roles:
        producer = Producer(kafka, client_id=SERVICE, metrics=metrics)
        components += [producer, Relay(database, producer, metrics)]
    if WorkerRole.API in roles:
        components.append(AnswerRetention(database, metrics))
    if WorkerRole.CONSUMERS in roles:
        count_unapplied = unapplied_counter(metrics)
        components += [
            build_consumers(settings, database, kafka, metrics, count_unapplied),
            DeadLetterGauges(database, SERVICE, metrics),
            InboxRetention(database, settings.inbox_retention, metrics),
            OfferExpiry(database),
            ThinEvents(database, _stripe_objects(settings), count_unapplied),
        ]
    return components


def _stripe_objects(settings: BookingSettings) -> StripeObjects | None:
    key = settings.stripe_api_key
    return None if key is None else StripeObjects(key.get_secret_value(), settings.stripe_api_base)


def add_serve_command(cli: typer.Typer) -> None:
    """Add the command `serve`."""

    @cli.command()
    def serve(
        only: Annotated[str, typer.Option(help="Work of this process, separated by commas.")] = _ALL,
    ) -> None:
        """Run the service until SIGTERM or Ctrl-C."""
        roles = _parse_roles(only)
        settings = load_settings(BookingSettings)
        raise typer.Exit(run_service(SERVICE, settings, lambda: build(settings, roles)))


def _parse_roles(only: str) -> list[WorkerRole]:
    try:
        return [WorkerRole(name.strip()) for name in only.split(",")]
    except ValueError:
        raise CommandError(f"--only {only}: choose from {_ALL}") from None
