"""The consumer with a client that has no broker."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CoordinatorNotAvailableError

from chassis.consuming import Consumer, commits
from chassis.consuming.steps import ApplyBatch
from chassis.dead_letters import DeadLetters, Placement
from chassis.messaging.message import Message
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database
from harness import eventually
from unit.chassis.observability import spans_kept


async def test_new_topic_of_the_pattern_does_not_fail_the_consumer() -> None:
    """Between a new match and the rebalance the client has no assignment, and its methods assert one."""
    client = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1", group_id="g")
    subscription: Any = client._subscription
    subscription.subscribe_pattern(re.compile("webhooks.*"))
    subscription.subscribe_from_pattern({"webhooks.a.v1"})
    partition = TopicPartition("webhooks.a.v1", 0)
    subscription.assign_from_subscribed({partition})
    metrics = Metrics("sample")
    consumer = Consumer(
        "sample",
        database=Database("postgresql://s@127.0.0.1:1/s", application_name="sample"),
        apply=cast("Any", None),
        set_aside=DeadLetters("sample"),
        topic_prefix="",
        metrics=metrics,
    )
    consumer._subscriber = cast("Any", type("Subscriber", (), {"consumer": client}))
    await consumer.on_assigned([partition])
    consumer._apply_back_pressure()
    metrics.expose()
    subscription.subscribe_from_pattern({"webhooks.a.v1", "webhooks.b.v1"})
    consumer._apply_back_pressure()
    assert b'sample_oldest_unhandled_seconds{partition="0",topic="webhooks.a.v1"} 0.0' in metrics.expose()
    await client.stop()


class MixedPlacement:
    """A store that places each message of a batch differently, and a database without transactions."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncMock]:
        yield AsyncMock()

    async def partition_batch(self, _: Connection, messages: Sequence[Message]) -> Placement:
        free, no_room, in_use, settled = messages
        return Placement(free=[free], no_room=[no_room], in_use=[in_use], settled=[settled])


PARTITION = TopicPartition("t.v1", 0)


async def consumer_with(store: MixedPlacement, client: object) -> Consumer:
    """Return a consumer with one partition. Every message has an effect."""

    async def apply(_connection: Connection, messages: Sequence[Message]) -> int:
        return len(messages)

    consumer = Consumer(
        "sample",
        database=cast("Any", store),
        apply=apply,
        set_aside=cast("Any", store),
        topic_prefix="",
        metrics=Metrics("sample"),
    )
    consumer._subscriber = cast("Any", SimpleNamespace(consumer=client))
    await consumer.on_assigned([PARTITION])
    return consumer


def record(offset: int) -> SimpleNamespace:
    return SimpleNamespace(
        **PARTITION._asdict(), offset=offset, timestamp=1, key=b"%d" % offset, value=b"", headers=()
    )


async def test_span_of_every_message_ends_whatever_its_placement() -> None:
    consumer = await consumer_with(MixedPlacement(), client=None)
    await consumer.receive([record(offset) for offset in range(4)])
    step = consumer._machine.next_step(0.0)
    assert isinstance(step, ApplyBatch)
    with spans_kept.kept() as spans:
        await consumer._attempts.apply_batch(step)
        outcomes = [dict(span.attributes or {})["plumbline.outcome"] for span in spans.get_finished_spans()]
    assert sorted(map(str, outcomes)) == ["applied", "not_applied", "not_applied", "settled"]


class FailingFirstCommit:
    """A client whose first commit fails."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        return set()

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)
        if len(self.commits) == 1:
            raise CoordinatorNotAvailableError


class AllFree(MixedPlacement):
    async def partition_batch(self, _: Connection, messages: Sequence[Message]) -> Placement:
        return Placement(free=[*messages])


async def test_failed_commit_is_retried_though_no_message_follows() -> None:
    client = FailingFirstCommit()
    consumer = await consumer_with(AllFree(), client)
    await consumer.start()
    await consumer.receive([record(4)])
    await eventually(lambda: len(client.commits) == 2)
    assert client.commits == [{PARTITION: 5}] * 2
    await consumer.stop()
    assert len(client.commits) == 2


class RecordingClient(FailingFirstCommit):
    """A client whose commits all succeed."""

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)


async def consumer_that_committed(offset: int, client: RecordingClient) -> Consumer:
    consumer = await consumer_with(AllFree(), client)
    await consumer.start()
    await consumer.receive([record(offset)])
    await eventually(lambda: client.commits == [{PARTITION: offset + 1}])
    return consumer


async def test_offset_that_waits_is_committed_though_no_message_follows() -> None:
    client = RecordingClient()
    consumer = await consumer_that_committed(4, client)
    await consumer.receive([record(5)])
    await eventually(lambda: client.commits[1:] == [{PARTITION: 6}])
    await consumer.stop()
    assert len(client.commits) == 2


@pytest.mark.parametrize("end", ["revoked", "stopped"])
async def test_offset_that_waits_is_committed_before_another_member_gets_the_partition(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "COMMIT_SECONDS_MIN", 60.0)
    client = RecordingClient()
    consumer = await consumer_that_committed(4, client)
    await consumer.receive([record(5)])
    await eventually(lambda: consumer._partitions.offsets_to_commit() == {("t.v1", 0): 6})
    assert len(client.commits) == 1
    await (consumer.on_revoked([PARTITION]) if end == "revoked" else consumer.stop())
    assert client.commits[1:] == [{PARTITION: 6}]
    await consumer.stop()
