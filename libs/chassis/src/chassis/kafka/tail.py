"""Read the last records of topics, and those that follow, without a consumer group: nothing is committed."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.kafka import lenient_records
from chassis.kafka.connection import REQUEST_MILLISECONDS_MAX, KafkaConnection
from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.topics import connect_admin
from contracts.topics import card_of

_POLL_MILLISECONDS = 250
# After so long without a record, the broker is asked whether it still answers.
_SILENT_SECONDS = 10.0


class UnknownTopicError(ValueError):
    """The broker has no such topic. The text names those that it has."""


@dataclass(frozen=True, slots=True)
class PassedRecord:
    """A record without its value.

    Attributes:
        topic: without the deployment's prefix.
        partition: of the topic.
        offset: in the partition.
        time: timestamp of the record.
        key: as text; bytes that are no UTF-8 are replaced.
        headers: as text, in the same way; of a repeated name the last counts.
    """

    topic: str
    partition: int
    offset: int
    time: datetime
    key: str | None
    headers: Mapping[str, str]


async def tail(
    connection: KafkaConnection, topics: Sequence[str], *, last: int, follow: bool
) -> AsyncGenerator[PassedRecord]:
    """Yield the `last` records by time, and then, if asked, new ones as they come.

    Args:
        connection: of the brokers.
        topics: without a prefix; empty for all topics with a card.
        last: how many records of the past, of all topics together.
        follow: continue until the caller closes the generator.

    Raises:
        UnknownTopicError: one of `topics` does not exist.
        BrokerUnavailableError: the broker does not answer, or does not any longer.
    """
    lenient_records.install()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=connection.bootstrap,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        request_timeout_ms=REQUEST_MILLISECONDS_MAX,
        **connection.options,
    )
    try:
        partitions = await _partitions(connection, topics)
        await consumer.start()
        reader = _Reader(consumer, connection.topic_prefix)
        await reader.assign(partitions, last)
        async with aclosing(reader.read(last, follow=follow)) as records:
            async for record in records:
                yield record
    except BrokerUnavailableError:
        raise
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(f"Kafka at {connection.bootstrap} does not answer: {error}") from error
    finally:
        await consumer.stop()


async def _partitions(connection: KafkaConnection, topics: Sequence[str]) -> list[TopicPartition]:
    admin = await connect_admin(connection)
    try:
        described = await admin.describe_topics()
    finally:
        await admin.close()
    prefix = connection.topic_prefix
    counts: dict[str, int] = {
        topic["topic"].removeprefix(prefix): len(topic["partitions"])
        for topic in described
        if topic["topic"].startswith(prefix)
    }
    known = sorted(name for name in counts if card_of(name))
    for name in topics:
        if name not in counts:
            raise UnknownTopicError(f"topic {name!a:.80} does not exist: choose of {', '.join(known)}")
    return [
        TopicPartition(prefix + name, partition)
        for name in topics or known
        for partition in range(counts[name])
    ]


class _Reader:
    def __init__(self, consumer: Any, prefix: str) -> None:
        self._consumer = consumer
        self._prefix = prefix
        self._ends: dict[TopicPartition, int] = {}
        self._heard_at = time.monotonic()

    async def assign(self, partitions: Sequence[TopicPartition], last: int) -> None:
        begins = await self._consumer.beginning_offsets(partitions)
        self._ends = await self._consumer.end_offsets(partitions)
        self._consumer.assign(partitions)
        for partition, end in self._ends.items():
            self._consumer.seek(partition, max(begins[partition], end - last))

    async def read(self, last: int, *, follow: bool) -> AsyncGenerator[PassedRecord]:
        recent: list[PassedRecord] = []
        later: list[PassedRecord] = []
        while not await self._is_at_end():
            for record in await self._fetch():
                is_new = record.offset >= self._ends[self._partition_of(record)]
                (later if is_new else recent).append(record)
            recent = sorted(recent, key=lambda record: record.time)[-last:]
        for record in (*recent, *later):
            yield record
        while follow:
            for record in await self._fetch():
                yield record

    async def _is_at_end(self) -> bool:
        return all([await self._consumer.position(each) >= end for each, end in self._ends.items()])

    async def _fetch(self) -> list[PassedRecord]:
        batches = await self._consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
        records = [self._passed(record) for batch in batches.values() for record in batch]
        now = time.monotonic()
        if not records and now - self._heard_at > _SILENT_SECONDS:
            await self._consumer.end_offsets(list(self._ends))
        elif not records:
            return []
        self._heard_at = now
        return records

    def _passed(self, record: Any) -> PassedRecord:
        return PassedRecord(
            topic=record.topic.removeprefix(self._prefix),
            partition=record.partition,
            offset=record.offset,
            time=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            key=None if record.key is None else record.key.decode(errors="replace"),
            headers={name: (value or b"").decode(errors="replace") for name, value in record.headers},
        )

    def _partition_of(self, record: PassedRecord) -> TopicPartition:
        return TopicPartition(self._prefix + record.topic, record.partition)
