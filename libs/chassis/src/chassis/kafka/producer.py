"""Producing to Kafka: a record counts as sent when every broker in sync has it (foundations §3)."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chassis.kafka import producer_spans
from chassis.kafka.connection import (
    METADATA_AGE_MILLISECONDS_MAX,
    REQUEST_MILLISECONDS_MAX,
    STOP_SECONDS_MAX,
    KafkaConnection,
)
from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError, not_taken
from chassis.observability import spans
from chassis.observability.metrics import Metrics
from chassis.process.health import Check
from contracts.metadata import Headers

BATCH_BYTES_MAX = 1024 * 1024
REQUEST_BYTES_MAX = 1024 * 1024 + 64 * 1024
CONNECT_SECONDS_MAX = 10.0
REACHABLE_SECONDS_MAX = 2.0
TROUBLE_SECONDS = 5.0
"""So long after a record that no broker took, and none taken since, the next one is not promised either: a
broker can answer and lead, and still have too few replicas in sync to acknowledge."""


class OutgoingRecord(msgspec.Struct, frozen=True):
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
        timeout: bounds the wait of `send`; the default fits all but very many sends a second.

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
        timeout: Callable[[float], AbstractAsyncContextManager[object]] = asyncio.timeout,
    ) -> None:
        self._connection = connection
        self._client_id = client_id
        self._topics = [connection.topic_prefix + topic for topic in topics]
        self._publish_seconds = metrics.seconds("publish_seconds") if metrics else None
        self._timeout = timeout
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
        if spans.is_on():
            [outcome] = await self.send_all([record], ack_seconds_max=ack_seconds_max)
        else:
            began_at = time.monotonic()
            outcome = await self._send(record, ack_seconds_max)
            self._remember(outcome)
            self._measure(began_at)
        if outcome is not None:
            raise outcome

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        """Produce records in order and tell for each whether the broker has it (None) or why not.

        A record that cannot even be handed over (too large) fails alone, and with it the later ones of its
        topic and key, so that none of them overtakes it.
        """
        began_at = time.monotonic()
        made = _begin_spans(records) if spans.is_on() else None
        if made is not None:
            records = [
                msgspec.structs.replace(record, headers=headers)
                for record, headers in zip(records, made.headers, strict=True)
            ]
        outcomes = await self._send_all(records, ack_seconds_max=ack_seconds_max)
        if made is not None:
            made.end([outcome is not None for outcome in outcomes])
        for outcome in outcomes:
            self._remember(outcome)
        self._measure(began_at)
        return outcomes

    def _remember(self, outcome: BrokerUnavailableError | None) -> None:
        """Whether brokers take records: the last word counts, but for what is the record's own fault."""
        if not isinstance(outcome, RecordRefusedError):
            self._trouble = None if outcome is None else (time.monotonic(), outcome)

    def _measure(self, began_at: float) -> None:
        if self._publish_seconds is not None:
            self._publish_seconds.observe(time.monotonic() - began_at)

    async def _send(self, record: OutgoingRecord, ack_seconds_max: float) -> BrokerUnavailableError | None:
        """One record by itself, at half the cost of a batch of one: the gateway sends so."""
        try:
            async with self._timeout(ack_seconds_max):
                outcome = await self._hand_over(record)
                if isinstance(outcome, BrokerUnavailableError):
                    return outcome
                await outcome
        except (KafkaError, OSError) as error:  # a time-out is an OSError
            return not_taken(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return BrokerUnavailableError("the producer was stopped before Kafka acknowledged")
        return None

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
            outcomes += [not_taken(error)] * (len(records) - len(outcomes))
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
            return not_taken(error)

    def _ready(self) -> Any:
        if self._producer is None:
            raise BrokerUnavailableError("the producer is not connected to Kafka yet")
        return self._producer


def _begin_spans(records: Sequence[OutgoingRecord]) -> producer_spans.Publishing:
    return producer_spans.begin([record.topic for record in records], [record.headers for record in records])


def _ack(future: asyncio.Future[Any]) -> BrokerUnavailableError | None:
    if not future.done():
        future.add_done_callback(_retrieved)
        return BrokerUnavailableError("Kafka did not acknowledge in time")
    if future.cancelled():
        return BrokerUnavailableError("the producer was stopped before Kafka acknowledged")
    error = future.exception()
    return None if error is None else not_taken(error)


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Take the outcome of a send nobody waits for any more, so that asyncio does not complain about it."""
    if not future.cancelled():
        future.exception()


async def _close(producer: Any) -> None:
    """Stop within bounded time: with the broker away, aiokafka would wait for every buffered record."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        await producer.client.close()
