"""Composes the gateway: the only module that chooses adapters."""

from collections.abc import Collection, Sequence
from functools import partial

from litestar import Litestar

from chassis import clock
from chassis.http.app import build_app
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.kafka.topics_check import TopicsStartupCheck
from chassis.observability.logs import add_to_every_line, get_logger
from chassis.observability.metrics import Metrics
from chassis.process.component import Component
from chassis.process.health import Check, CheckFunction, Health
from chassis.process.lifecycle import Lifecycle
from chassis.service import Service
from contracts.topics import WEBHOOKS_REJECTED, TopicCard, webhook_topic
from webhook_gateway.adapters.timeouts import shared_timeout
from webhook_gateway.adapters.worker import SharedHealth, SharedMetrics, Worker, WorkerPresence
from webhook_gateway.api.openapi import describe_webhooks
from webhook_gateway.api.webhooks import MOUNTS, Limits, WebhookEndpoint
from webhook_gateway.domain.refusal_budget import RefusalBudget
from webhook_gateway.handlers.deliveries import DeliveryHandler
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.jobs.refusals import RefusalLog
from webhook_gateway.jobs.reloading import Configuration, Reloader
from webhook_gateway.metrics import SecretsCollector, register_metrics
from webhook_gateway.server.protocol import BoundedHttpProtocol
from webhook_gateway.settings import SERVICE, GatewaySettings, configured_sources
from webhook_gateway.settings.files import read_fingerprint

_log = get_logger(__name__)


def build(settings: GatewaySettings, worker: Worker | None = None) -> Service:
    """Return the gateway that `settings` describe; with `worker`, one of several processes.

    Raises:
        SettingsError: a secret cannot be used.
    """
    configuration = Configuration(
        load=partial(configured_sources, settings),
        fingerprint=partial(read_fingerprint, settings.webhook_sources_file),
    )
    loaded, fingerprint = configuration.load_first()
    sources = Sources(loaded)
    _warn_if_open(settings)
    metrics = _metrics(worker)
    metrics.register(SecretsCollector(metrics, sources))
    gateway_metrics = register_metrics(metrics, validation_enabled=settings.validation_enabled)
    kafka = KafkaConnection.from_settings(settings)
    topics = _topics(sources.names())
    guard = TopicsStartupCheck(kafka, topics)
    producer = Producer(
        kafka, client_id=SERVICE, topics=_names(topics), metrics=metrics, timeout=shared_timeout
    )
    refusals = RefusalLog(producer, _budget(settings), gateway_metrics)
    handler = DeliveryHandler(
        producer,
        validation_enabled=settings.validation_enabled,
        ack_seconds_max=settings.gateway_ack_seconds_max,
    )
    endpoint = WebhookEndpoint(
        sources,
        handler,
        refusals.record,
        gateway_metrics,
        _limits(settings),
        validation_enabled=settings.validation_enabled,
    )
    health = Health() if worker is None else SharedHealth(worker)
    _add_checks(health, settings, endpoint, sources)
    reloader = Reloader(
        sources, configuration, fingerprint, partial(_check_topics, guard, producer), gateway_metrics
    )
    # The reloader starts first, to handle SIGHUP while the broker is awaited. The producer stops last.
    components: list[Component] = [reloader, guard, producer, refusals]
    if isinstance(health, SharedHealth) and worker is not None:
        components.append(WorkerPresence(worker, health))
    lifecycle = Lifecycle(settings, components, health)
    app = build_app(
        title="Plumbline webhook gateway",
        handlers=[],
        mounts=dict.fromkeys(MOUNTS, endpoint),
        health=health,
        metrics=metrics,
        guard=None,  # deliveries are authenticated by their signatures
        lifespan=[lifecycle.lifespan],
        hosts=settings.http_hosts,
        internal_port=settings.webhook_gateway_internal_port,
        quiet_routes=MOUNTS,  # each has a metric, and a refusal also a record and an EventLog entry
    )
    describe_webhooks(app)
    return _service(settings, app, lifecycle, worker)


def _metrics(worker: Worker | None) -> Metrics:
    if worker is None:
        return Metrics(SERVICE)
    add_to_every_line(worker=worker.number)
    return SharedMetrics(SERVICE, worker)


def _service(
    settings: GatewaySettings, app: Litestar, lifecycle: Lifecycle, worker: Worker | None
) -> Service:
    return Service(
        SERVICE,
        settings,
        app,
        lifecycle,
        host=settings.webhook_gateway_host,
        port=settings.webhook_gateway_port,
        internal=settings.internal_address,
        http_protocol=BoundedHttpProtocol,
        sockets=worker.sockets if worker else (),
    )


def _warn_if_open(settings: GatewaySettings) -> None:
    # Only the exact string `true` turns validation on (GW-8): an operator who wrote `TRUE` should notice.
    if not settings.validation_enabled:
        _log.warning("webhook validation is off: set ENABLE_WEBHOOK_VALIDATION to true, in lower case")


async def _check_topics(guard: TopicsStartupCheck, producer: Producer, names: Collection[str]) -> None:
    """Raise if deliveries of sources of these names could not be stored."""
    await guard.watch(topics := _topics(names))
    await producer.watch(_names(topics))


def _add_checks(
    health: Health, settings: GatewaySettings, endpoint: WebhookEndpoint, sources: Sources
) -> None:
    """Add the readiness checks beyond the components' own."""
    health.add("room", endpoint.check)
    health.add("webhook validation", _flag_check(enabled=settings.validation_enabled))
    health.add("secrets", _secrets_check(sources))


def _budget(settings: GatewaySettings) -> RefusalBudget:
    return RefusalBudget(
        settings.gateway_refusals_per_minute_max, settings.gateway_refusals_all_per_minute_max
    )


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        body_bytes_max=settings.gateway_body_bytes_max,
        body_seconds_max=settings.gateway_body_seconds_max,
        bodies_bytes_max=settings.gateway_bodies_bytes_max,
        in_flight_max=settings.gateway_in_flight_max,
        proxies_trusted=settings.gateway_proxies_trusted,
    )


def _flag_check(*, enabled: bool) -> CheckFunction:
    async def check() -> Check:
        return Check(ok=True, detail="on" if enabled else "off: SMS and others are accepted unverified")

    return check


def _topics(sources: Collection[str]) -> list[TopicCard]:
    return [*map(webhook_topic, sources), WEBHOOKS_REJECTED]


def _names(topics: Sequence[TopicCard]) -> list[str]:
    return [card.name for card in topics]


def _secrets_check(sources: Sources) -> CheckFunction:
    # Always healthy: a missing secret answers 500 on its own source and affects no other one.
    async def check() -> Check:
        now = clock.now()
        live = [
            f"{source.name} {each.scheme.name}: {sum(secret.is_live(now) for secret in each.secrets)}"
            for source in sources.all()
            for each in source.accepted
        ]
        return Check(ok=True, detail=", ".join(live))

    return check
