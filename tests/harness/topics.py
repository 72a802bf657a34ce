"""A test's access to a topic: read all records, and publish arbitrary ones."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.record import default_records

from chassis.kafka import lenient_records as lenient
from harness.waiting import eventually

Headers = Sequence[tuple[str, bytes]]

_FETCH_MILLISECONDS = 200

lenient.install()  # tests publish records that aiokafka cannot read by itself


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record. `partition` and `offset` are -1 before it is published."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    offset: int = -1

    def header(self, name: str) -> str | None:
        """Return the first header of that name as text, or None."""
        return next((value.decode() for header, value in self.headers if header == name), None)


class RawName(str):
    """A header name of arbitrary bytes, also of invalid UTF-8: `RawName(b"n\\xff")`."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> Self:
        name = super().__new__(cls, raw.decode(errors="replace"))
        name.raw = raw
        return name

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return self.raw


class TestTopic:
    """A topic of a stack, by its full name."""

    __test__ = False

    def __init__(self, bootstrap: str, name: str) -> None:
        self.name = name
        self._bootstrap = bootstrap

    async def records(self) -> list[Record]:
        """Return all current records, in order within each partition."""
        async with self._consumer() as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            records: list[Record] = []
            while not await _reached(consumer, ends):
                records += await _fetch(consumer)
            return records

    async def read_until(
        self, condition: Callable[[list[Record]], Any], *, seconds: float = 10.0
    ) -> list[Record]:
        """Read from the first record on until the records meet `condition`, and return them."""
        async with self._consumer() as consumer:
            records: list[Record] = []

            async def met() -> Any:
                records.extend(await _fetch(consumer))
                return condition(records)

            await eventually(met, seconds=seconds, what=f"enough records on {self.name}, which has {records}")
            return records

    async def publish(
        self, value: bytes | None, *, key: bytes | None = None, headers: Headers = ()
    ) -> Record:
        """Publish a record and return it with its partition and offset."""
        return (await self.publish_all([Record(value, key, headers)]))[0]

    async def publish_all(self, records: Sequence[Record]) -> list[Record]:
        """Publish records in order. Records of one key keep their order."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", max_request_size=2**21)
        await producer.start()
        try:
            sent = [
                await producer.send(self.name, value=r.value, key=r.key, headers=list(r.headers))
                for r in records
            ]
            positions = [await acknowledged for acknowledged in sent]
        finally:
            await producer.stop()
        return [
            Record(record.value, record.key, record.headers, position.partition, position.offset)
            for record, position in zip(records, positions, strict=True)
        ]

    async def publish_batch(self, records: Sequence[Record], *, partition: int) -> list[Record]:
        """Publish records as one batch, without checks. A `RawName` is written as its bytes."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
        await producer.start()
        try:
            batch = producer.create_batch()
            builder = vars(default_records)["_DefaultRecordBatchBuilderPy"]
            batch._builder = builder(2, 0, 0, -1, -1, 0, 2**20)  # magic 2, no codec, no transaction
            for record in records:
                batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
            first = await (await producer.send_batch(batch, self.name, partition=partition))
        finally:
            await producer.stop()
        return [
            Record(record.value, record.key, record.headers, partition, first.offset + number)
            for number, record in enumerate(records)
        ]

    @asynccontextmanager
    async def _consumer(self) -> AsyncGenerator[AIOKafkaConsumer]:
        # Without a group the consumer commits nothing and reads every partition from the first record.
        consumer = AIOKafkaConsumer(
            self.name,
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


async def _fetch(consumer: AIOKafkaConsumer) -> list[Record]:
    batches = await consumer.getmany(timeout_ms=_FETCH_MILLISECONDS)
    return [
        Record(r.value, r.key, tuple(r.headers), r.partition, r.offset)
        for batch in batches.values()
        for r in batch
    ]


async def _reached(consumer: AIOKafkaConsumer, ends: dict[Any, int]) -> bool:
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])
