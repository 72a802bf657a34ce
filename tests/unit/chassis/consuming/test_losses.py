"""Losses are reported for deleted offsets only, and no offset passes a loss before it is recorded."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from chassis.consuming import Consumer
from chassis.consuming.polling import Poller
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection
from contracts.dead_letters import MessagesLost

PLACE = TopicPartition("t.v1", 0)


class Client:
    """The methods of aiokafka's consumer that a lost position needs."""

    def __init__(self, begin: int, end: int, *, error: Exception | None = None) -> None:
        self.begin, self.end, self.error = begin, end, error
        self.positions: dict[TopicPartition, int] = {}
        self.committed_offsets: list[Mapping[TopicPartition, int]] = []
        state = SimpleNamespace(has_valid_position=False, position=None)
        assignment = SimpleNamespace(tps=[PLACE], state_value=lambda _: state)
        self._subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))

    async def poll(self, _: object) -> tuple[()]:
        error, self.error = self.error, None
        if error is not None:
            raise error
        return ()

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.begin)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed_offsets.append(offsets)


class Listener:
    def __init__(self) -> None:
        self.lost: list[tuple[int, int]] = []

    def on_read(self, positions: Mapping[TopicPartition, int]) -> None:
        """Not used here."""

    def on_lost(self, partition: TopicPartition, first: int, beyond: int) -> None:
        assert partition == PLACE
        self.lost.append((first, beyond))


@pytest.mark.parametrize(
    ("expected", "begin", "end", "lost", "position"),
    [
        (5, 20, 30, [(5, 20)], 20),
        (5, 20, 20, [(5, 20)], 20),  # emptied: reported although no record follows
        (57, 0, 10, [], 0),  # recreated or cut: no known loss
        (5, 0, 10, [], None),  # a broker that was behind: the position stays
    ],
)
async def test_offset_out_of_range_is_a_loss_only_below_the_log(
    expected: int, begin: int, end: int, lost: list[tuple[int, int]], position: int | None
) -> None:
    client, listener = Client(begin, end, error=OffsetOutOfRangeError({PLACE: expected})), Listener()
    assert await Poller(listener, client.poll, cast("Any", None)).poll(client) == ()
    assert (listener.lost, client.positions.get(PLACE)) == (lost, position)


async def test_group_without_an_offset_begins_at_the_first_record_and_claims_no_loss() -> None:
    client, listener = Client(20, 30, error=NoOffsetForPartitionError(PLACE)), Listener()
    await Poller(listener, client.poll, cast("Any", None)).poll(client)
    assert (listener.lost, client.positions) == ([], {PLACE: 20})


class Store:
    """A store and database that fail while `away` is True."""

    def __init__(self) -> None:
        self.away = True
        self.recorded: list[MessagesLost] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        if self.away:
            raise OSError("away")
        yield

    async def record_loss(self, _: Connection, lost: MessagesLost) -> None:
        self.recorded.append(lost)


async def test_no_offset_passes_a_loss_before_it_is_recorded() -> None:
    store, client, metrics = Store(), Client(20, 20), Metrics("sample")
    consumer = Consumer(
        "sample",
        database=cast("Any", store),
        apply=cast("Any", None),
        set_aside=cast("Any", store),
        topic_prefix="p.",
        metrics=metrics,
    )
    place = TopicPartition("p.t.v1", 0)
    consumer._subscriber = cast("Any", SimpleNamespace(consumer=client))
    await consumer.on_assigned([place])
    assert b'sample_messages_lost_total{topic="t.v1"} 0.0' in metrics.expose()
    consumer.on_lost(place, 5, 20)
    consumer.on_read({place: 20})
    await consumer._losses.store()
    await consumer._commit()
    assert client.committed_offsets == []
    store.away = False
    await consumer._losses.store()
    await consumer._commit()
    assert client.committed_offsets == [{place: 20}]
    (lost,) = store.recorded
    assert (lost.topic, lost.group, lost.first_offset, lost.last_offset) == ("t.v1", "p.sample", 5, 19)
    assert b'sample_messages_lost_total{topic="t.v1"} 15.0' in metrics.expose()
    assert "t.v1/0 5 to 19" in consumer._losses.detail
