"""The composition root: settings in, a service ready to run out."""

from audit.api import ACCESS, routes
from audit.consumers import TOPIC_PATTERN, build_consumer
from audit.handlers.reading import Databases
from audit.jobs import GapWatch
from audit.settings import SERVICE, AuditSettings
from chassis.auth.setup import build_auth
from chassis.consuming.broker import Consumers, build_broker
from chassis.http import build_app
from chassis.kafka import KafkaConnection
from chassis.kafka.topics_check import TopicsGuard
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.postgres.append_only import AppendOnlyGuard
from chassis.postgres.migrations_check import MigrationsGuard
from chassis.postgres.read_pool import ReadPool
from chassis.process.component import Part
from chassis.process.health import Health
from chassis.process.lifecycle import Lifecycle
from chassis.service import Service
from contracts.topics import topics_of

APPEND_ONLY_TABLES = ("event_log", "event_payload", "event_rendering", "status_history")


EXPORTS_MAX = 2
"""At once in one process: each keeps a connection as long as its reader takes."""
EXPORT_PAGE_SECONDS_MAX = 30.0


def open_database(settings: AuditSettings) -> Database:
    """The service's database, with its own role."""
    return Database(settings.audit_postgres_dsn.get_secret_value(), application_name=SERVICE)


def build(settings: AuditSettings) -> Service:
    """The audit service as `settings` describe it."""
    metrics, health = Metrics(SERVICE), Health()
    database = open_database(settings)
    searches, exports = _read_pools(settings)
    database.measure(metrics, searches, exports)
    kafka = KafkaConnection.from_settings(settings)
    broker = build_broker(kafka, client_id=SERVICE)
    consumer = build_consumer(
        database, metrics, world=settings.stripe_world, topic_prefix=settings.topic_prefix
    )
    consumer.subscribe(broker, pattern=TOPIC_PATTERN)
    auth = build_auth(settings, ACCESS, health=health, metrics=metrics)
    parts: list[Part] = [
        *auth.parts,
        database,
        searches,
        exports,
        MigrationsGuard(database, SERVICE),
        AppendOnlyGuard(database, APPEND_ONLY_TABLES, packages=("chassis", SERVICE)),
        TopicsGuard(kafka, topics_of(SERVICE)),
        Consumers(broker, [consumer]),
        GapWatch(database, metrics, patience_seconds=settings.audit_gap_seconds_max),
    ]
    lifecycle = Lifecycle(settings, parts, health)
    app = build_app(
        title="Plumbline audit",
        handlers=routes(Databases(database, searches, exports)),
        health=health,
        metrics=metrics,
        guard=auth.guard,
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
    )
    return Service(SERVICE, settings, app, lifecycle, host=settings.audit_host, port=settings.audit_port)


def _read_pools(settings: AuditSettings) -> tuple[ReadPool, ReadPool]:
    dsn = settings.audit_postgres_dsn.get_secret_value()
    searches = ReadPool(dsn, application_name=f"{SERVICE}-searches")
    exports = ReadPool(
        dsn,
        application_name=f"{SERVICE}-exports",
        reads_max=EXPORTS_MAX,
        read_seconds_max=EXPORT_PAGE_SECONDS_MAX,
    )
    return searches, exports
