"""A fake Kafka: one topic, one group that fences its members by generation, and the client of a consumer."""

import asyncio
import time
from collections.abc import Callable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaTimeoutError

from chassis.consuming import Consumer
from chassis.consuming.limits import Limits
from chassis.observability.metrics import Metrics
from simulation import store as db

TOPIC = "in"
FETCH_RECORDS_MAX = 6
POLL_SECONDS = 0.2
SESSION_SECONDS_MAX = 6.0
"""A member that has not released its partitions by then is removed from the group."""


class Kafka:
    def __init__(self, rng: Random, partitions: int, say: Callable[[str], None]) -> None:
        self._rng, self.say = rng, say
        self.records: list[list[Any]] = [[] for _ in range(partitions)]
        self.committed = [0] * partitions
        self.members: list[Member] = []
        self.generation = 0
        self._change = asyncio.Event()

    def produce(self, key: bytes, event_id: bytes) -> None:
        """Append a record. A producer retries until it has an ack: a lost ack makes a second copy."""
        number = int(key[1:]) % len(self.records)
        log, record = self.records[number], {"key": key, "value": event_id, "headers": (), "timestamp": 0}
        log.append(SimpleNamespace(topic=TOPIC, partition=number, offset=len(log), **record))

    def rebalance(self) -> None:
        self._change.set()

    async def coordinate(self) -> None:
        """Rebalance eagerly: revoke all partitions, then assign them to the members that answered in time."""
        while await self._change.wait():
            self._change.clear()
            leaving = {asyncio.create_task(m.release()): m for m in self.members if m.is_responsive()}
            if leaving:
                await asyncio.wait(leaving, timeout=SESSION_SECONDS_MAX)
            self.generation += 1
            self.members = [m for task, m in leaving.items() if task.done() and m.is_responsive()]
            numbers = self._rng.sample(range(len(self.records)), len(self.records))
            for turn, member in enumerate(self.members):
                await member.assign(self.generation, sorted(numbers[turn :: len(self.members)]))

    def commit(self, member: "Member", generation: int, offsets: Mapping[TopicPartition, int]) -> None:
        if member not in self.members or generation != self.generation:
            raise CommitFailedError
        self.say(f"{member.name} commits {[(p.partition, at) for p, at in offsets.items()]}")
        for partition, offset in offsets.items():
            self.committed[partition.partition] = offset


class Member:
    """A group member with the real consumer. All its calls to servers go through `io`."""

    def __init__(self, name: str, kafka: Kafka, store: db.Store, limits: Limits) -> None:
        self.name, self.kafka, self.store = name, kafka, store
        self.generation, self.stopped_until = -1, 0.0
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        database: Any = SimpleNamespace(transaction=lambda: store.transaction(name, self.io))
        options: Any = {"database": database, "apply": db.apply, "set_aside": db, "limits": limits}
        self.consumer = Consumer(name, topic_prefix="", metrics=Metrics(name), **options)
        self.consumer._subscriber = SimpleNamespace(consumer=self)
        self._client = asyncio.create_task(self._poll())

    def kill(self) -> None:
        """Simulate SIGKILL: the step in flight is lost, the sessions end."""
        for task in filter(None, (self._client, self.consumer._loop._task)):
            task.cancel()

    def is_responsive(self) -> bool:
        """Return whether the member takes part in a rebalance: it was neither killed nor stopped."""
        return not self._client.cancelling() and self.stopped_until <= time.monotonic()

    async def io(self) -> None:
        """Simulate a call to a server, and SIGSTOP: a stopped member continues at the same point."""
        await asyncio.sleep(self.store.latency())
        await asyncio.sleep(self.stopped_until - time.monotonic())

    async def _poll(self) -> None:
        """Fetch records. Records of an earlier assignment are dropped."""
        await self.consumer.start()
        while True:
            if self not in self.kafka.members:
                await self.release()
                self.kafka.members.append(self)
                self.kafka.rebalance()
            logs, generation = self.kafka.records, self.generation
            active = {p: at for p, at in self.positions.items() if p not in self.paused}
            fetched = [r for p, at in active.items() for r in logs[p.partition][at : at + FETCH_RECORDS_MAX]]
            await self.io()
            if generation == self.generation:
                self.positions |= {TopicPartition(TOPIC, r.partition): r.offset + 1 for r in fetched}
                await self.consumer.receive(fetched)
            await asyncio.sleep(POLL_SECONDS)

    async def release(self) -> None:
        await self.consumer.on_revoked(list(self.positions))
        self.positions, self.paused, self.generation = {}, set(), -1

    async def assign(self, generation: int, numbers: list[int]) -> None:
        self.generation = generation
        self.positions = {TopicPartition(TOPIC, number): self.kafka.committed[number] for number in numbers}
        self.kafka.say(f"{self.name} has {numbers}")
        await self.consumer.on_assigned(list(self.positions))

    def holds_anything(self) -> bool:
        machine = self.consumer._machine
        has_messages = any(map(len, machine.partitions._queues.values()))
        return has_messages or bool(machine.blocked or machine._suspects)

    # --- the client, as the consumer uses it --------------------------------------------------

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def highwater(self, partition: TopicPartition) -> int:
        return len(self.kafka.records[partition.partition])

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        generation = self.generation
        await self.io()
        self.kafka.commit(self, generation, offsets)
        if self.store.mishap():
            raise KafkaTimeoutError("the answer is lost")
