"""A fake Kafka: one topic, one group whose generations fence its members, and what the real shell takes for
its client."""

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
"""Who has not let go of its partitions by then is out of the group."""


class Kafka:
    def __init__(self, rng: Random, partitions: int, say: Callable[[str], None]) -> None:
        self._rng, self.say = rng, say
        self.records: list[list[Any]] = [[] for _ in range(partitions)]
        self.committed = [0] * partitions
        self.members: list[Member] = []
        self.generation = 0
        self._change = asyncio.Event()

    def produce(self, key: bytes, event_id: bytes) -> None:
        """The producer tries until it has an acknowledgement: one that was lost makes a second copy."""
        number = int(key[1:]) % len(self.records)
        log, record = self.records[number], {"key": key, "value": event_id, "headers": (), "timestamp": 0}
        log.append(SimpleNamespace(topic=TOPIC, partition=number, offset=len(log), **record))

    def rebalance(self) -> None:
        self._change.set()

    async def coordinate(self) -> None:
        """Eagerly: all partitions are taken from all, then given to those that answered in time."""
        while await self._change.wait():
            self._change.clear()
            leaving = {asyncio.create_task(m.let_go()): m for m in self.members if m.answers()}
            if leaving:
                await asyncio.wait(leaving, timeout=SESSION_SECONDS_MAX)
            self.generation += 1
            self.members = [member for task, member in leaving.items() if task.done() and member.answers()]
            numbers = self._rng.sample(range(len(self.records)), len(self.records))
            for turn, member in enumerate(self.members):
                await member.assigned(self.generation, sorted(numbers[turn :: len(self.members)]))

    def commit(self, member: "Member", generation: int, offsets: Mapping[TopicPartition, int]) -> None:
        if member not in self.members or generation != self.generation:
            raise CommitFailedError
        self.say(f"{member.name} commits {[(place.partition, at) for place, at in offsets.items()]}")
        for place, offset in offsets.items():
            self.committed[place.partition] = offset


class Member:
    """The real consumer, shell and core; all that it says to anybody goes through `io`."""

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
        """As SIGKILL: what it had in hand is gone, its sessions end."""
        for task in filter(None, (self._client, self.consumer._loop._task)):
            task.cancel()

    def answers(self) -> bool:
        """Whether it takes part in a rebalance: it runs and is not stopped."""
        return not self._client.cancelling() and self.stopped_until <= time.monotonic()

    async def io(self) -> None:
        """The way to a server; as SIGSTOP: who is stopped goes on where it was."""
        await asyncio.sleep(self.store.latency())
        await asyncio.sleep(self.stopped_until - time.monotonic())

    async def _poll(self) -> None:
        """What is fetched under one assignment never reaches the next."""
        await self.consumer.start()
        while True:
            if self not in self.kafka.members:
                await self.let_go()
                self.kafka.members.append(self)
                self.kafka.rebalance()
            logs, generation = self.kafka.records, self.generation
            wanted = {p: at for p, at in self.positions.items() if p not in self.paused}
            fetched = [r for p, at in wanted.items() for r in logs[p.partition][at : at + FETCH_RECORDS_MAX]]
            await self.io()
            if generation == self.generation:
                self.positions |= {TopicPartition(TOPIC, r.partition): r.offset + 1 for r in fetched}
                await self.consumer.take(fetched)
            await asyncio.sleep(POLL_SECONDS)

    async def let_go(self) -> None:
        await self.consumer.on_revoked(list(self.positions))
        self.positions, self.paused, self.generation = {}, set(), -1

    async def assigned(self, generation: int, numbers: list[int]) -> None:
        self.generation = generation
        self.positions = {TopicPartition(TOPIC, number): self.kafka.committed[number] for number in numbers}
        self.kafka.say(f"{self.name} has {numbers}")
        await self.consumer.on_assigned(list(self.positions))

    def holds_anything(self) -> bool:
        core = self.consumer._core
        return any(map(len, core._queues.values())) or bool(core._held or core._narrow)

    # --- the client, as the shell knows it ---------------------------------------------------

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
