"""Kafka: connection, producer and FastStream broker, with every delivery option stated (foundations §3)."""

import asyncio
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from chassis.health import Check
from chassis.metrics import Metrics
from chassis.settings import ServiceSettings
from chassis.telemetry import publishing
from contracts.metadata import Headers

REQUEST_MILLISECONDS_MAX = 4_000
BATCH_BYTES_MAX = 1024 * 1024
REQUEST_BYTES_MAX = 1024 * 1024 + 64 * 1024
METADATA_AGE_MILLISECONDS_MAX = 30_000
CONNECT_SECONDS_MAX = 10.0
REACHABLE_SECONDS_MAX = 2.0
STOP_SECONDS_MAX = 5.0
TROUBLE_SECONDS = 5.0
"""So long after a record that no broker took, and none taken since, the next one is not promised either: a
broker can answer and lead, and still have too few replicas in sync to acknowledge."""


class BrokerUnavailableError(ConnectionError):
    """Kafka did not acknowledge in time. The record may still arrive: answer 5xx and let it come again."""


class RecordRefusedError(BrokerUnavailableError):
    """Kafka will not take this record however often it is sent: change it, or the limit that refuses it."""


_REFUSALS = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the brokers are and how to reach them.

    Attributes:
        bootstrap: comma-separated `host:port`.
        topic_prefix: put before every topic name and consumer group of this deployment.
        options: security options as aiokafka names them.
    """

    bootstrap: str
    topic_prefix: str
    options: Mapping[str, Any]

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> "KafkaConnection":
        """The connection that the environment describes."""
        password = settings.kafka_sasl_password
        options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
        if settings.kafka_security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": settings.kafka_sasl_mechanism or "PLAIN",
                "sasl_plain_username": settings.kafka_sasl_username,
                "sasl_plain_password": password.get_secret_value() if password else None,
            }
        if settings.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
        return cls(settings.kafka_bootstrap, settings.topic_prefix, options)


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to be produced; the topic is named as on its card, without the prefix."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Producer:
    """Produces and waits for the broker's ack (`acks=all`).

    Args:
        connection: to the brokers.
        client_id: shown by the brokers.
        topics: that must be writable for readiness; their metadata are fetched at start, so that no first
            record waits for it.
        metrics: `publish_seconds`, from handing a batch over to its last ack; None measures nothing.

    Idempotence is off on purpose: with it on, an outage makes sends and stop hang for ever
    (aio-libs/aiokafka#1017). Order is kept without it; duplicates are the inbox's business.
    """

    name = "kafka producer"

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        client_id: str,
        topics: Sequence[str] = (),
        metrics: Metrics | None = None,
    ) -> None:
        self._connection = connection
        self._client_id = client_id
        self._topics = [connection.topic_prefix + topic for topic in topics]
        self._publish_seconds = (
            metrics.seconds("publish_seconds", "From handing records to Kafka's client to the last ack")
            if metrics
            else None
        )
        self._producer: Any = None  # aiokafka ships no types
        self._trouble: tuple[float, BrokerUnavailableError] | None = None

    async def watch(self, topics: Collection[str]) -> None:
        """From now on these must be writable for readiness.

        Raises:
            BrokerUnavailableError: one has no leader yet, or no broker answers; those before stay watched.
        """
        if leaderless := sorted(set(topics) - await self.led(topics)):
            raise BrokerUnavailableError(f"no leader: {', '.join(leaderless)}")
        self._topics = [self._connection.topic_prefix + topic for topic in topics]

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailableError: no broker answers.
        """
        producer: Any = AIOKafkaProducer(
            bootstrap_servers=self._connection.bootstrap,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=False,
            request_timeout_ms=REQUEST_MILLISECONDS_MAX,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            linger_ms=0,
            metadata_max_age_ms=METADATA_AGE_MILLISECONDS_MAX,
            **self._connection.options,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await producer.start()
                for topic in self._topics:
                    await producer.partitions_for(topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await _close(producer)
            raise BrokerUnavailableError(
                f"Kafka at {self._connection.bootstrap} is not ready: {error!r}"
            ) from error
        self._producer = producer

    async def stop(self) -> None:
        """Send what is buffered, within bounded time, and disconnect."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)

    async def check(self) -> Check:
        """Whether a broker answers now, leads what is written to, and took what was sent last.

        Cached metadata proves nothing.
        """
        if self._producer is None:
            return Check(ok=False, detail="not connected yet")
        async with asyncio.timeout(REACHABLE_SECONDS_MAX):
            reachable = await self._producer.client.force_metadata_update()
        if not reachable:
            return Check(ok=False, detail=f"no broker answers at {self._connection.bootstrap}")
        if leaderless := [topic for topic in self._topics if not self._is_led(topic)]:
            return Check(ok=False, detail=f"no leader: {', '.join(leaderless)}")
        if self._trouble is not None and time.monotonic() - self._trouble[0] < TROUBLE_SECONDS:
            return Check(ok=False, detail=str(self._trouble[1]))
        return Check(ok=True)

    async def led(self, topics: Collection[str]) -> set[str]:
        """Those of these topics that exist and have a leader for every partition, asked of a broker now.

        Raises:
            BrokerUnavailableError: no broker answers within `REACHABLE_SECONDS_MAX`.
        """
        client = self._ready().client
        names = {topic: self._connection.topic_prefix + topic for topic in topics}
        try:
            async with asyncio.timeout(REACHABLE_SECONDS_MAX):
                for name in names.values():
                    await client.add_topic(name)  # asks for a topic it does not know; waiting for it may last
                reachable = await client.force_metadata_update()
        except TimeoutError:
            reachable = False
        if not reachable:
            raise BrokerUnavailableError(f"no broker answers at {self._connection.bootstrap}")
        return {topic for topic, name in names.items() if self._is_led(name)}

    def _is_led(self, topic: str) -> bool:
        """Whether every partition of a topic has a leader, as of the last metadata."""
        cluster = self._producer.client.cluster
        partitions = cluster.partitions_for_topic(topic)
        return bool(partitions) and cluster.available_partitions_for_topic(topic) == partitions

    async def send(self, record: OutgoingRecord, *, ack_seconds_max: float) -> None:
        """Produce one record and return when the broker has it.

        Raises:
            BrokerUnavailableError: no ack within `ack_seconds_max`; the record may arrive all the same.
        """
        began = time.monotonic()
        under_way = publishing.begin([record.topic], [record.headers])
        if under_way.headers[0] is not record.headers:
            record = replace(record, headers=under_way.headers[0])
        outcome = await self._send(record, ack_seconds_max)
        self._remember([outcome])
        under_way.end([outcome is not None])
        if self._publish_seconds is not None:
            self._publish_seconds.observe(time.monotonic() - began)
        if outcome is not None:
            raise outcome

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        """Produce records in order and tell for each whether the broker has it (None) or why not.

        A record that cannot even be handed over (too large) fails alone, and with it the later ones of its
        topic and key, so that none of them overtakes it.
        """
        began = time.monotonic()
        under_way = publishing.begin([r.topic for r in records], [r.headers for r in records])
        continued = [
            r if r.headers is h else replace(r, headers=h)
            for r, h in zip(records, under_way.headers, strict=True)
        ]
        outcomes = await self._send_all(continued, ack_seconds_max=ack_seconds_max)
        self._remember(outcomes)
        under_way.end([outcome is not None for outcome in outcomes])
        if self._publish_seconds is not None:
            self._publish_seconds.observe(time.monotonic() - began)
        return outcomes

    async def _send(self, record: OutgoingRecord, ack_seconds_max: float) -> BrokerUnavailableError | None:
        """One record by itself, at half the cost of a batch of one: the gateway sends so."""
        try:
            async with asyncio.timeout(ack_seconds_max):
                outcome = await self._hand_over(record)
                if isinstance(outcome, BrokerUnavailableError):
                    return outcome
                await outcome
        except (KafkaError, OSError) as error:  # a time-out is an OSError
            return _unavailable(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return BrokerUnavailableError("the producer was stopped before Kafka acknowledged")
        return None

    def _remember(self, outcomes: Sequence[BrokerUnavailableError | None]) -> None:
        """Whether brokers take records: the last word of a batch, but for what is the record's own fault."""
        for outcome in outcomes:
            if not isinstance(outcome, RecordRefusedError):
                self._trouble = None if outcome is None else (time.monotonic(), outcome)

    async def _send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        deadline = time.monotonic() + ack_seconds_max
        outcomes: list[asyncio.Future[Any] | BrokerUnavailableError] = []
        refused: dict[tuple[str, bytes], BrokerUnavailableError] = {}
        try:
            async with asyncio.timeout(ack_seconds_max):
                for record in records:
                    line = (record.topic, record.key)
                    outcome = refused.get(line) or await self._hand_over(record)
                    if isinstance(outcome, BrokerUnavailableError):
                        refused[line] = outcome
                    outcomes.append(outcome)
        except TimeoutError as error:
            outcomes += [_unavailable(error)] * (len(records) - len(outcomes))
        futures = [outcome for outcome in outcomes if isinstance(outcome, asyncio.Future)]
        if futures:
            await asyncio.wait(futures, timeout=max(0.0, deadline - time.monotonic()))
        return [_ack(outcome) if isinstance(outcome, asyncio.Future) else outcome for outcome in outcomes]

    async def _hand_over(self, record: OutgoingRecord) -> asyncio.Future[Any] | BrokerUnavailableError:
        try:
            return await self._ready().send(
                self._connection.topic_prefix + record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
            )
        except (KafkaError, OSError) as error:
            return _unavailable(error)

    def _ready(self) -> Any:
        if self._producer is None:
            raise BrokerUnavailableError("the producer is not connected to Kafka yet")
        return self._producer


def _ack(future: asyncio.Future[Any]) -> BrokerUnavailableError | None:
    if not future.done():
        future.add_done_callback(_retrieved)
        return BrokerUnavailableError("Kafka did not acknowledge in time")
    if future.cancelled():
        return BrokerUnavailableError("the producer was stopped before Kafka acknowledged")
    error = future.exception()
    return None if error is None else _unavailable(error)


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Take the outcome of a send nobody waits for any more, so that asyncio does not complain about it."""
    if not future.cancelled():
        future.exception()


def _unavailable(error: BaseException) -> BrokerUnavailableError:
    if isinstance(error, BrokerUnavailableError):
        return error
    if isinstance(error, _REFUSALS):
        return RecordRefusedError(f"Kafka refuses the record: {type(error).__name__} {error}")
    reason = "no ack in time" if isinstance(error, TimeoutError) else f"{type(error).__name__} {error}"
    return BrokerUnavailableError(f"Kafka did not take the record: {reason}")


async def _close(producer: Any) -> None:
    """Stop within bounded time: with the broker away, aiokafka would wait for every buffered record."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        await producer.client.close()


def build_broker(connection: KafkaConnection, *, client_id: str) -> KafkaBroker:
    """The FastStream broker that a service's consumers hang on. It consumes only: `Producer` sends.

    FastStream's own defaults are at-most-once; `chassis.consuming.Consumer.subscribe` states each
    delivery option again, because a router's subscriber does not inherit the broker's.
    """
    options = dict(connection.options)
    return KafkaBroker(
        connection.bootstrap.split(","),
        client_id=client_id,
        consumer_only=True,
        allow_auto_create_topics=False,
        ack_policy=AckPolicy.MANUAL,
        apply_types=False,
        request_timeout_ms=REQUEST_MILLISECONDS_MAX * 3,
        metadata_max_age_ms=METADATA_AGE_MILLISECONDS_MAX,
        graceful_timeout=STOP_SECONDS_MAX,
        logger=None,
        security=_security(options),
    )


def _security(options: Mapping[str, Any]) -> Any:
    use_ssl = "ssl_context" in options
    if "sasl_mechanism" not in options:
        return BaseSecurity(ssl_context=options["ssl_context"], use_ssl=True) if use_ssl else None
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[options["sasl_mechanism"]](
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        ssl_context=options.get("ssl_context"),
        use_ssl=use_ssl,
    )
