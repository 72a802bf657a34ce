"""Publish to Kafka. A record counts as sent once every in-sync replica has it (foundations §3)."""

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
from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError, broker_reason, publish_error
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.observability import spans
from chassis.observability.metrics import Metrics
from chassis.process.health import Check

BATCH_BYTES_MAX = 1024 * 1024
REQUEST_BYTES_MAX = 1024 * 1024 + 64 * 1024
CONNECT_SECONDS_MAX = 10.0
REACHABLE_SECONDS_MAX = 2.0
# Readiness fails for this long after a record without an ack, unless a later record was acknowledged: a
# broker can answer and lead, and still have too few in-sync replicas to acknowledge.
FAILURE_SECONDS = 5.0


class Producer:
    """Publishes records and waits for the ack of the broker (`acks=all`).

    Idempotence is off: with it an outage makes `send` and `stop` hang for ever (aio-libs/aiokafka#1017).
    Order is kept without it, and the inbox drops duplicates.

    Args:
        connection: to the brokers.
        client_id: shown by the brokers.
        topics: must be writable for readiness. `start` fetches their metadata, so that no first record waits.
        metrics: receives `publish_seconds`; None measures nothing.
        timeout: limits the wait of `send`. The default is slow only for very many sends a second.
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
        self._failure: tuple[float, BrokerUnavailableError] | None = None

    async def watch(self, topics: Collection[str]) -> None:
        """Replace the topics that must be writable for readiness. On an error the previous ones stay.

        Raises:
            BrokerUnavailableError: a topic has no leader, or no broker answers.
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
                f"Kafka at {self._connection.bootstrap} is not ready: {broker_reason(error)}"
            ) from error
        self._producer = producer

    async def stop(self) -> None:
        """Send buffered records, within a time limit, and disconnect."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)

    async def check(self) -> Check:
        """Pass if a broker answers now, each topic has a leader, and the last record was acknowledged.

        Cached metadata is not used: it proves nothing.
        """
        if self._producer is None:
            return Check(ok=False, detail="not connected yet")
        async with asyncio.timeout(REACHABLE_SECONDS_MAX):
            reachable = await self._producer.client.force_metadata_update()
        if not reachable:
            return Check(ok=False, detail=f"no broker answers at {self._connection.bootstrap}")
        if leaderless := [topic for topic in self._topics if not self._is_led(topic)]:
            return Check(ok=False, detail=f"no leader: {', '.join(leaderless)}")
        if self._failure is not None and time.monotonic() - self._failure[0] < FAILURE_SECONDS:
            return Check(ok=False, detail=str(self._failure[1]))
        return Check(ok=True)

    async def led(self, topics: Collection[str]) -> set[str]:
        """Ask a broker which of these topics exist and have a leader for every partition.

        Raises:
            BrokerUnavailableError: no broker answers within `REACHABLE_SECONDS_MAX`.
        """
        client = self._ready().client
        names = {topic: self._connection.topic_prefix + topic for topic in topics}
        try:
            async with asyncio.timeout(REACHABLE_SECONDS_MAX):
                for name in names.values():
                    await client.add_topic(name)  # waits for the metadata of an unknown topic
                reachable = await client.force_metadata_update()
        except TimeoutError:
            reachable = False
        if not reachable:
            raise BrokerUnavailableError(f"no broker answers at {self._connection.bootstrap}")
        return {topic for topic, name in names.items() if self._is_led(name)}

    def _is_led(self, topic: str) -> bool:
        """Return whether every partition of a topic has a leader, by the latest metadata."""
        cluster = self._producer.client.cluster
        partitions = cluster.partitions_for_topic(topic)
        return bool(partitions) and cluster.available_partitions_for_topic(topic) == partitions

    async def send(self, record: OutgoingRecord, *, ack_seconds_max: float) -> None:
        """Publish one record and wait for its ack.

        Raises:
            BrokerUnavailableError: no ack within `ack_seconds_max`. The record may still arrive.
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
        """Publish records in order. Return None for each acknowledged record, else its error.

        If a record is refused by the client (too large), later records of its topic and key fail too, so that
        none overtakes it.
        """
        began_at = time.monotonic()
        publishing = _begin_spans(records) if spans.is_on() else None
        if publishing is not None:
            records = [
                msgspec.structs.replace(record, headers=headers)
                for record, headers in zip(records, publishing.headers, strict=True)
            ]
        outcomes = await self._send_all(records, ack_seconds_max=ack_seconds_max)
        if publishing is not None:
            publishing.end([outcome is not None for outcome in outcomes])
        for outcome in outcomes:
            self._remember(outcome)
        self._measure(began_at)
        return outcomes

    def _remember(self, outcome: BrokerUnavailableError | None) -> None:
        """Record the latest outcome for readiness. A refusal of one record says nothing about the broker."""
        if not isinstance(outcome, RecordRefusedError):
            self._failure = None if outcome is None else (time.monotonic(), outcome)

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
            return publish_error(error)
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
                    ordering_key = (record.topic, record.key)
                    outcome = refused.get(ordering_key) or await self._hand_over(record)
                    if isinstance(outcome, BrokerUnavailableError):
                        refused[ordering_key] = outcome
                    outcomes.append(outcome)
        except TimeoutError as error:
            outcomes += [publish_error(error)] * (len(records) - len(outcomes))
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
            return publish_error(error)

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
    return None if error is None else publish_error(error)


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Retrieve the outcome of a send that is no longer awaited, so that asyncio logs no warning."""
    if not future.cancelled():
        future.exception()


async def _close(producer: Any) -> None:
    """Stop within a time limit. Without a broker, aiokafka would wait for every buffered record."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        await producer.client.close()
