"""One suite on the in-memory log and on Kafka: what a relay relies on holds for both."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from chassis.kafka.errors import RecordRefusedError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.kafka.producer import Producer
from chassis.relay.publisher import RecordProducer
from integration.chassis.ground import TOPIC, Ground
from integration.chassis.kafka.memory_log import MemoryLog

ACK_SECONDS_MAX = 20.0


@dataclass
class Place:
    publisher: RecordProducer
    values: Callable[[], Awaitable[Sequence[bytes]]]


@pytest.fixture(params=["memory", "kafka"])
async def place_of_records(request: pytest.FixtureRequest, ground: Ground) -> AsyncGenerator[Place]:
    if request.param == "memory":
        log = MemoryLog()
        log.missing.add("nobody.made.v1")

        async def kept() -> list[bytes]:
            return [record.value for record in log.records]

        yield Place(log, kept)
        return
    producer = Producer(ground.kafka, client_id="suite")
    await producer.start()

    async def on_topic() -> list[bytes]:
        return [record.value or b"" for record in await ground.topic.records()]

    yield Place(producer, on_topic)
    await producer.stop()


def record(key: bytes, value: bytes) -> OutgoingRecord:
    return OutgoingRecord(TOPIC, key, value, ())


async def test_records_of_a_key_arrive_in_order_and_are_acknowledged(place_of_records: Place) -> None:
    records = [record(b"k", b"%d" % number) for number in range(50)]
    outcomes = await place_of_records.publisher.send_all(records, ack_seconds_max=ACK_SECONDS_MAX)
    assert outcomes == [None] * 50
    assert await place_of_records.values() == [r.value for r in records]


async def test_refused_record_fails_with_those_behind_it_of_its_key_and_no_other(
    place_of_records: Place,
) -> None:
    records = [record(b"a", b"1"), record(b"a", b"x" * 2**21), record(b"a", b"3"), record(b"b", b"4")]
    outcomes = await place_of_records.publisher.send_all(records, ack_seconds_max=ACK_SECONDS_MAX)
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        RecordRefusedError,
        RecordRefusedError,
        type(None),
    ]
    assert sorted(await place_of_records.values()) == [b"1", b"4"]


async def test_topic_that_nobody_made_is_not_led(place_of_records: Place) -> None:
    assert await place_of_records.publisher.led({TOPIC, "nobody.made.v1"}) == {TOPIC}
