"""A fake Kafka: one topic, one group whose generations fence its members, a topic for what goes out."""

from random import Random
from typing import TYPE_CHECKING

from chassis.consuming.queues import Place
from chassis.messages import Message

if TYPE_CHECKING:
    from simulation.member import Member

TOPIC = "in"


class FencedError(Exception):
    """The group has gone on without this member."""


class Kafka:
    def __init__(self, rng: Random, partitions: int) -> None:
        self._rng = rng
        self.records: list[list[Message]] = [[] for _ in range(partitions)]
        self.committed = [0] * partitions
        self.members: list[Member] = []
        self.generation = 0
        self.published: list[Message] = []

    def produce(self, key: bytes, event_id: bytes) -> None:
        """The producer tries until it has an acknowledgement: one that was lost makes a second copy."""
        partition = int(key[1:]) % len(self.records)
        log = self.records[partition]
        log.append(Message(TOPIC, partition, len(log), key, event_id, ()))

    def rebalance(self) -> None:
        """Eagerly: all partitions are taken from all, then given to those that answer."""
        self.generation += 1
        self.members = [member for member in self.members if member.answers()]
        shares: dict[Member, list[int]] = {member: [] for member in self.members}
        partitions = list(range(len(self.records)))
        self._rng.shuffle(partitions)
        for turn, partition in enumerate(partitions if self.members else []):
            shares[self.members[turn % len(self.members)]].append(partition)
        for member in self.members:
            member.revoked()
        for member, share in shares.items():
            member.assigned(self.generation, {(TOPIC, number): self.committed[number] for number in share})

    def commit(self, member: "Member", generation: int, offsets: dict[Place, int]) -> None:
        if member not in self.members or generation != self.generation:
            raise FencedError
        for (_, partition), offset in offsets.items():
            self.committed[partition] = offset
