"""The producer waits for the ack, and for nothing without limit (GW-3, foundations §3)."""

import time
from typing import Any

import pytest

from chassis.kafka.connection import STOP_SECONDS_MAX, KafkaConnection
from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.kafka.producer import Producer
from chassis.kafka.topics import TopicFinding, apply_topics, compare_topics
from contracts.topics import BOOKINGS_EVENTS, DEAD_LETTERS
from harness import Infra, down, eventually
from harness.ports import free_port
from integration.chassis.ground import TOPIC, TOPICS, Ground

ACK_SECONDS_MAX = 1.5
MARGIN_SECONDS = 1.5
ACKS_OF_ALL_IN_SYNC = -1


def outgoing(value: bytes = b"{}", *, key: bytes = b"k") -> OutgoingRecord:
    return OutgoingRecord(TOPIC, key, value, (("ce_id", b"1"), ("other", b"\xff")))


async def test_acknowledged_record_is_on_the_topic_bytes_as_they_were(ground: Ground) -> None:
    producer = Producer(ground.kafka, client_id="test", topics=[TOPIC])
    await producer.start()
    await producer.send(outgoing(b"\x00\xff not json"), ack_seconds_max=5)
    (found,) = await ground.topic.records()
    assert (found.key, found.value) == (b"k", b"\x00\xff not json")
    assert tuple(found.headers) == (("ce_id", b"1"), ("other", b"\xff"))
    assert (await producer.check()).ok
    await producer.stop()


async def test_every_broker_in_sync_has_a_record_that_counts_as_taken(ground: Ground) -> None:
    """One broker cannot show the difference, so the option is looked at where aiokafka keeps it."""
    producer = Producer(ground.kafka, client_id="test")
    await producer.start()
    assert producer._producer._sender._acks == ACKS_OF_ALL_IN_SYNC
    await producer.stop()


async def test_no_broker_at_start_is_told_with_its_address(place: Ground) -> None:
    connection = KafkaConnection(f"127.0.0.1:{free_port()}", place.kafka.topic_prefix, {})
    producer = Producer(connection, client_id="test")
    with pytest.raises(BrokerUnavailableError, match=connection.bootstrap):
        await producer.start()
    assert not (await producer.check()).ok
    with pytest.raises(BrokerUnavailableError, match="not connected"):
        await producer.send(outgoing(), ack_seconds_max=ACK_SECONDS_MAX)
    await producer.stop()


async def test_kafka_away_is_an_error_within_the_deadline_and_good_again_after(
    ground: Ground, infra: Infra
) -> None:
    producer = Producer(ground.kafka, client_id="test")
    await producer.start()
    await producer.send(outgoing(b"1"), ack_seconds_max=5)
    async with down(infra.kafka, how="kill"):
        began = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            await producer.send(outgoing(b"2"), ack_seconds_max=ACK_SECONDS_MAX)
        outcomes = await producer.send_all([outgoing(b"3")] * 3, ack_seconds_max=ACK_SECONDS_MAX)
        assert all(isinstance(outcome, BrokerUnavailableError) for outcome in outcomes)
        assert time.monotonic() - began < 2 * (ACK_SECONDS_MAX + MARGIN_SECONDS)
        assert not (await producer.check()).ok

    async def sent() -> bool:
        (outcome,) = await producer.send_all([outgoing(b"4")], ack_seconds_max=5)
        return outcome is None

    await eventually(sent, seconds=30)
    assert (await producer.check()).ok
    await producer.stop()
    assert b"1" in {found.value for found in await ground.topic.records()}


async def test_not_ready_after_a_record_that_was_not_taken_in_time_until_one_is(ground: Ground) -> None:
    producer = Producer(ground.kafka, client_id="test", topics=[TOPIC])
    await producer.start()
    large = outgoing(b"x" * 2**21)
    await producer.send_all([large], ack_seconds_max=5)
    assert (await producer.check()).ok, "a record's own fault says nothing about the next one"
    with pytest.raises(BrokerUnavailableError):
        await producer.send(outgoing(b"late"), ack_seconds_max=0)
    check = await producer.check()
    assert (check.ok, check.detail) == (False, "Kafka did not take the record: no ack in time")
    await producer.send(outgoing(b"in time"), ack_seconds_max=5)
    assert (await producer.check()).ok
    await producer.stop()


async def test_stop_with_kafka_away_takes_bounded_time(ground: Ground, infra: Infra) -> None:
    producer = Producer(ground.kafka, client_id="test")
    await producer.start()
    await producer.send(outgoing(), ack_seconds_max=5)
    async with down(infra.kafka, how="kill"):
        # More than a batch, so that some are handed over and the rest wait in line.
        await producer.send_all([outgoing(b"x" * 700_000)] * 4, ack_seconds_max=0.2)
        began = time.monotonic()
        await producer.stop()
        assert time.monotonic() - began < STOP_SECONDS_MAX + MARGIN_SECONDS
        with pytest.raises(BrokerUnavailableError):
            await producer.send(outgoing(), ack_seconds_max=ACK_SECONDS_MAX)


async def test_record_that_is_too_large_fails_alone_and_holds_back_its_key(ground: Ground) -> None:
    producer = Producer(ground.kafka, client_id="test")
    await producer.start()
    large = outgoing(b"x" * 2**21)
    records = [outgoing(b"1"), large, outgoing(b"behind it"), outgoing(b"2", key=b"other")]
    outcomes = await producer.send_all(records, ack_seconds_max=5)
    assert [outcome is None for outcome in outcomes] == [True, False, False, True]
    await producer.stop()
    assert sorted(found.value or b"" for found in await ground.topic.records()) == [b"1", b"2"]


async def test_topics_are_made_once_and_compared_with_their_cards(place: Ground) -> None:
    names = [place.kafka.topic_prefix + card.name for card in TOPICS]
    missing = await compare_topics(place.kafka, TOPICS)
    assert [finding.topic for finding in missing] == names
    assert all("does not exist" in finding.problem for finding in missing)
    assert sorted(await apply_topics(place.kafka, TOPICS)) == sorted(names)
    assert await apply_topics(place.kafka, TOPICS) == []

    async def as_on_the_cards() -> bool:
        return await compare_topics(place.kafka, TOPICS) == [TopicFinding(name, "") for name in names]

    await eventually(as_on_the_cards)
    cards = [
        type(DEAD_LETTERS)(**{**_fields(DEAD_LETTERS), "partitions": 9}),
        type(BOOKINGS_EVENTS)(**{**_fields(BOOKINGS_EVENTS), "retention_hours": 1}),
    ]
    problems = [finding.problem for finding in await compare_topics(place.kafka, cards)]
    assert problems[0].startswith("has 3 partitions, its card says 9")
    assert problems[1].startswith("has retention.ms=7776000000: run ")
    assert "retention.ms=3600000" in problems[1]


def _fields(card: Any) -> dict[str, Any]:
    return {name: getattr(card, name) for name in card.__slots__}
