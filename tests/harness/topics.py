"""A topic, seen by a test: everything that stands on it, and records put there by hand."""

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

lenient.install()  # a test may put records there that aiokafka cannot read


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the broker has it. `partition` and `offset` are unknown before it is there."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    offset: int = -1

    def header(self, name: str) -> str | None:
        """The first header of that name as text, None if there is none."""
        return next((value.decode() for found, value in self.headers if found == name), None)


class RawName(str):
    """A header's name that is these bytes, UTF-8 or not: `RawName(b"n\\xff")`."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> Self:
        name = super().__new__(cls, raw.decode(errors="replace"))
        name.raw = raw
        return name

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return self.raw


class TestTopic:
    """One topic of a stack, by its full name."""

    __test__ = False

    def __init__(self, bootstrap: str, name: str) -> None:
        self.name = name
        self._bootstrap = bootstrap

    async def records(self) -> list[Record]:
        """All that stand on it now, in order within each partition."""
        async with self._consumer() as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[Record] = []
            while not await _reached(consumer, ends):
                found += await _fetch(consumer)
            return found

    async def read_until(
        self, condition: Callable[[list[Record]], Any], *, seconds: float = 10.0
    ) -> list[Record]:
        """All records from the first on, as soon as they meet `condition`."""
        async with self._consumer() as consumer:
            found: list[Record] = []

            async def met() -> Any:
                found.extend(await _fetch(consumer))
                return condition(found)

            await eventually(met, seconds=seconds, what=f"enough on {self.name}, which has {found}")
            return found

    async def publish(
        self, value: bytes | None, *, key: bytes | None = None, headers: Headers = ()
    ) -> Record:
        """Put one record there, whatever it is, and return it as the broker has it."""
        return (await self.publish_all([Record(value, key, headers)]))[0]

    async def publish_all(self, records: Sequence[Record]) -> list[Record]:
        """Put records there in order; those of one key keep it."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", max_request_size=2**21)
        await producer.start()
        try:
            sent = [
                await producer.send(self.name, value=r.value, key=r.key, headers=list(r.headers))
                for r in records
            ]
            places = [await acknowledged for acknowledged in sent]
        finally:
            await producer.stop()
        return [
            Record(record.value, record.key, record.headers, place.partition, place.offset)
            for record, place in zip(records, places, strict=True)
        ]

    async def publish_batch(self, records: Sequence[Record], *, partition: int) -> list[Record]:
        """Put one batch there as a careless client would: a `RawName` is written as the bytes it says."""
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
        """Without a group: it commits nothing and has every partition from the first record on."""
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
