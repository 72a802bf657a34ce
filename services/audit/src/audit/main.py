"""Composition root: settings in, a service ready to run out."""

import asyncio

import typer
from litestar.di import Provide

from audit.adapters.checkpoint_sinks import CheckpointDirectory, CheckpointTopic
from audit.adapters.policy_files import read_logs_policy, read_witness_policy
from audit.api.filters import provide_entry_filter, provide_stream_filter
from audit.api.roles import ACCESS
from audit.api.routes import ROUTES
from audit.api.witness import WITNESS_ROUTES
from audit.commands.database import open_database
from audit.consumers import build_consumers
from audit.domain.log.keys import InvalidKeyError
from audit.domain.log.policies import Policy
from audit.domain.log.witness_keys import read_witness_keys
from audit.handlers.live_entries import LiveEntries
from audit.handlers.witnessing import WitnessIdentity
from audit.jobs import (
    CheckpointPublisher,
    HistoryGapMonitor,
    LiveEntriesPoll,
    LogGauges,
    PayloadMonths,
    Sealer,
    SearchIndexer,
    WitnessRounds,
)
from audit.settings import SERVICE, AuditSettings, WitnessSettings
from chassis.auth.setup import build_auth
from chassis.http.app import build_app
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.kafka.topics_check import TopicsStartupCheck
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.postgres.append_only import AppendOnlyStartupCheck
from chassis.postgres.migrations_check import MigrationsStartupCheck
from chassis.postgres.read_pool import ReadPool
from chassis.process.component import Component
from chassis.process.environment import SettingsError
from chassis.process.health import Health
from chassis.process.lifecycle import Lifecycle
from chassis.service import Service, add_serve, run_service
from contracts.topics import AUDIT_CHECKPOINTS, topics_of

APPEND_ONLY_TABLES = (
    "event_log",
    "event_payload",
    "event_rendering",
    "payload_retention",
    "status_history",
    "log_leaf",
    "log_tile",
    "log_checkpoint",
    "log_submission",
    "log_cosignature",
)

# Exports at once in one process. An export keeps one connection until its reader has read it.
EXPORTS_MAX = 2
EXPORT_PAGE_SECONDS_MAX = 30.0


def build(settings: AuditSettings) -> Service:
    """Compose the service without starting it."""
    metrics, health = Metrics(SERVICE), Health()
    keys, witnesses = settings.key_ring, read_witness_policy(settings.audit_witness_policy_file)
    database = open_database(settings)
    dsn = settings.audit_postgres_dsn.get_secret_value()
    searches = ReadPool(dsn, application_name=f"{SERVICE}-searches")
    exports = ReadPool(
        dsn,
        application_name=f"{SERVICE}-exports",
        reads_max=EXPORTS_MAX,
        read_seconds_max=EXPORT_PAGE_SECONDS_MAX,
    )
    database.measure(metrics, searches, exports)
    auth = build_auth(settings, ACCESS, health=health, metrics=metrics)
    stopping = asyncio.Event()
    live = LiveEntries(database, searches, stopping)
    components = [
        *auth.components,
        searches,
        exports,
        *_components(settings, database, metrics, witnesses),
        LiveEntriesPoll(live, metrics),
    ]
    lifecycle = Lifecycle(settings, components, health, stopping=stopping)
    app = build_app(
        title="Plumbline audit",
        handlers=ROUTES,
        health=health,
        metrics=metrics,
        guard=auth.guard,
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "searches": Provide(lambda: searches, sync_to_thread=False),
            "exports": Provide(lambda: exports, sync_to_thread=False),
            "keys": Provide(lambda: keys, sync_to_thread=False),
            "witnesses": Provide(lambda: witnesses, sync_to_thread=False),
            "selected": Provide(provide_entry_filter),
            "streamed": Provide(provide_stream_filter),
            "live": Provide(lambda: live, sync_to_thread=False),
        },
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
    )
    return Service(SERVICE, settings, app, lifecycle, host=settings.audit_host, port=settings.audit_port)


def _components(
    settings: AuditSettings, database: Database, metrics: Metrics, witnesses: Policy | None
) -> list[Component]:
    """Return the components in the order in which they start."""
    kafka = KafkaConnection.from_settings(settings)
    return [
        database,
        MigrationsStartupCheck(database, SERVICE),
        AppendOnlyStartupCheck(database, APPEND_ONLY_TABLES, packages=("chassis", SERVICE)),
        TopicsStartupCheck(kafka, topics_of(SERVICE)),
        build_consumers(settings, database, kafka, metrics),
        HistoryGapMonitor(database, metrics, patience_seconds=settings.audit_gap_seconds_max),
        *_log_components(settings, database, kafka, metrics),
        PayloadMonths(database, metrics),
        SearchIndexer(database, metrics),
        WitnessRounds(database, witnesses, metrics, seconds=settings.audit_witness_seconds),
    ]


def _log_components(
    settings: AuditSettings, database: Database, kafka: KafkaConnection, metrics: Metrics
) -> list[Component]:
    keys = settings.key_ring
    path = settings.audit_checkpoint_dir
    directories = [] if path is None else [CheckpointDirectory(path)]
    producer = Producer(kafka, client_id=SERVICE, topics=[AUDIT_CHECKPOINTS.name], metrics=metrics)
    sealer = Sealer(database, keys, directories, metrics)
    publisher = CheckpointPublisher(
        database,
        keys,
        [*directories, CheckpointTopic(producer)],
        metrics,
        interval_seconds=settings.audit_checkpoint_seconds,
        may_publish=lambda: sealer.has_open_log,
    )
    return [*([producer] if keys else []), sealer, publisher, LogGauges(database, metrics)]


def build_witness(settings: WitnessSettings) -> Service:
    """Compose the witness for logs of others, without starting it."""
    metrics, health = Metrics(SERVICE), Health()
    database = open_database(settings)
    database.measure(metrics)
    witness = _witness_identity(settings)
    lifecycle = Lifecycle(settings, [database, MigrationsStartupCheck(database, SERVICE)], health)
    app = build_app(
        title="Plumbline witness",
        handlers=WITNESS_ROUTES,
        health=health,
        metrics=metrics,
        guard=None,
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "witness": Provide(lambda: witness, sync_to_thread=False),
        },
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
    )
    host, port = settings.audit_witness_host, settings.audit_witness_port
    return Service("audit-witness", settings, app, lifecycle, host=host, port=port)


def _witness_identity(settings: WitnessSettings) -> WitnessIdentity:
    try:
        signers = read_witness_keys(settings.audit_witness_key.get_secret_value())
    except InvalidKeyError as error:
        raise SettingsError(f"AUDIT_WITNESS_KEY: {error}") from None
    logs = read_logs_policy(settings.audit_witness_logs_file)
    return WitnessIdentity(signers, logs)


def add_serve_command(cli: typer.Typer) -> None:
    """Add the command `serve`."""
    add_serve(cli, SERVICE, AuditSettings, build)


def serve_witness(settings: WitnessSettings) -> int:
    """Run the witness until a signal. Return the exit code."""
    return run_service("audit-witness", settings, lambda: build_witness(settings))
