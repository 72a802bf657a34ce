"""Composition root: settings in, a service ready to run out."""

import typer
from litestar.di import Provide

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
from chassis.process.component import Component
from chassis.process.health import Health
from chassis.process.lifecycle import Lifecycle
from chassis.relay.component import Relay
from chassis.service import Service, add_serve
from contracts.topics import topics_of
from pricing import published_cards
from reconciler.adapters.stripe_client import StripeLists
from reconciler.api.exception_filter import provide_exception_filter
from reconciler.api.roles import ACCESS
from reconciler.api.routes import ROUTES
from reconciler.commands.database import open_database
from reconciler.consumers import build_consumers
from reconciler.handlers import messages
from reconciler.jobs import ExceptionClocks, OperationWorker, RunExecutor, Scheduler, Sweeper
from reconciler.settings import SERVICE, ReconcilerSettings

APPEND_ONLY_TABLES = ("exception_event", ACTION_TABLE)
# One for the executor's pages, one for what it looks up beside them, one for the sweeper.
VIEW_CONNECTIONS_MAX = 3
EXPORTS_MAX = 2
"""Exports at once. Each holds a connection as long as its client reads."""


def build(settings: ReconcilerSettings) -> Service:
    """Compose the service without starting it."""
    published_cards()  # A wrong rate card stops the start, not the first run.
    metrics, health = Metrics(SERVICE), Health()
    database = open_database(settings)
    dsn = settings.reconciler_postgres_dsn.get_secret_value()
    searches = ReadPool(dsn, application_name=f"{SERVICE}-searches")
    exports = ReadPool(dsn, application_name=f"{SERVICE}-exports", reads_max=EXPORTS_MAX)
    database.measure(metrics, searches, exports)
    auth = build_auth(settings, ACCESS, health=health, metrics=metrics)
    components = [*auth.components, searches, exports, *_components(settings, database, metrics)]
    lifecycle = Lifecycle(settings, components, health)
    app = build_app(
        title="Plumbline reconciler",
        handlers=[*ROUTES, dead_letter_routes(SERVICE, messages.apply)],
        health=health,
        metrics=metrics,
        guard=auth.guard,
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "searches": Provide(lambda: searches, sync_to_thread=False),
            "second_person_above": Provide(
                lambda: settings.reconciler_second_person_above, sync_to_thread=False
            ),
            "exports": Provide(lambda: exports, sync_to_thread=False),
            "targets": Provide(lambda: settings.targets, sync_to_thread=False),
            "selected": Provide(provide_exception_filter),
            "sweeps_are_on": Provide(lambda: settings.stripe_api_key is not None, sync_to_thread=False),
        },
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
        require_if_match=settings.require_if_match,
    )
    return Service(
        SERVICE, settings, app, lifecycle, host=settings.reconciler_host, port=settings.reconciler_port
    )


def _components(settings: ReconcilerSettings, database: Database, metrics: Metrics) -> list[Component]:
    """Return the components in the order in which they start."""
    kafka = KafkaConnection.from_settings(settings)
    producer = Producer(kafka, client_id=SERVICE, metrics=metrics)
    bookings = Database(
        settings.reconciler_booking_view_dsn.get_secret_value(),
        application_name=f"{SERVICE}-booking-view",
        connections_max=VIEW_CONNECTIONS_MAX,
        read_only=True,
    )
    return [
        database,
        MigrationsStartupCheck(database, SERVICE),
        AppendOnlyStartupCheck(database, APPEND_ONLY_TABLES, packages=("chassis", SERVICE)),
        bookings,
        TopicsStartupCheck(kafka, topics_of(SERVICE)),
        producer,
        Relay(database, producer, metrics),
        build_consumers(database, kafka, metrics),
        DeadLetterGauges(database, SERVICE, metrics),
        AnswerRetention(database, metrics),
        InboxRetention(database, settings.inbox_retention, metrics),
        RunExecutor(database, bookings, settings.rules, metrics, zone=settings.zone),
        ExceptionClocks(database, settings.targets, metrics),
        OperationWorker(database, settings.reconciler_second_person_above, metrics),
        Scheduler(database, settings.reconciler_cron, settings.zone, lateness=settings.lateness),
        Sweeper(
            database,
            bookings,
            _stripe(settings),
            settings.reconciler_sweep_cron,
            settings.zone,
            settings.rules.grace,
            metrics,
        ),
    ]


def _stripe(settings: ReconcilerSettings) -> StripeLists | None:
    key = settings.stripe_api_key
    return None if key is None else StripeLists(key.get_secret_value(), settings.stripe_api_base)


def add_serve_command(cli: typer.Typer) -> None:
    """Add the command `serve`."""
    add_serve(cli, SERVICE, ReconcilerSettings, build)
