"""A consumer group as the brokers see it: its members, how far it has read, how far it could."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupIdNotFound, KafkaError, NoError, for_code

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.topics import connect_admin

Partition = tuple[str, int]
"""Topic, with the deployment's prefix, and number."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """Members, and per partition the offset to be read next and the one after the last record.

    Attributes:
        expired: first and last offset of records that were deleted before the group read them.
        held_back: partitions where an open transaction keeps all that waits from being read.
    """

    members: int
    positions: Mapping[Partition, int]
    ends: Mapping[Partition, int]
    expired: Mapping[Partition, tuple[int, int]] = field(default_factory=dict[Partition, tuple[int, int]])
    held_back: frozenset[Partition] = frozenset()

    @property
    def lag(self) -> int:
        """Records that wait."""
        return sum(end - self.positions[partition] for partition, end in self.ends.items())


async def read_group(connection: KafkaConnection, group: str, topics: Sequence[str]) -> GroupState:
    """The state of a group on topics, which are named without the prefix; missing ones are left out.

    A partition without a committed offset is read from its beginning, as our consumers do, and so is one
    whose committed offset lies outside of its log: records have expired, or the topic was made anew.

    Raises:
        BrokerUnavailableError: no broker answers, or the group's coordinator cannot tell yet.
    """
    admin = await connect_admin(connection)
    try:
        described: Any = await admin.describe_consumer_groups([group])
        members = _count_members(described)
        committed: Any = await admin.list_consumer_group_offsets(group)
        listed: Any = await admin.list_topics()
        present = [name for topic in topics if (name := connection.topic_prefix + topic) in listed]
        topics_described: Any = await admin.describe_topics(present) if present else []
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(f"the broker did not describe group {group}: {error!r}") from error
    finally:
        await admin.close()
    partitions = [
        TopicPartition(topic["topic"], each["partition"])
        for topic in topics_described
        for each in topic["partitions"]
    ]
    begins, ends, stable_ends = await _borders(connection, partitions)
    offsets = {partition: found.offset for partition, found in committed.items()}
    positions = _next_read(offsets, begins, ends)
    held_back = {each for each, end in ends.items() if positions[each] == stable_ends[each] < end}
    return GroupState(members, positions, ends, _expired(offsets, begins), frozenset(held_back))


def _count_members(described: Sequence[Any]) -> int:
    count = 0
    for found in (found for answer in described for found in answer.groups):
        error = for_code(found[0])
        # A coordinator that is loading, or is another broker by now, answers with no members as well.
        if error not in {NoError, GroupIdNotFound}:
            raise error("try again in a moment")
        count += len(found[5])
    return count


def _next_read(
    committed: Mapping[Partition, int], begins: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> dict[Partition, int]:
    found: dict[Partition, int] = {}
    for partition, begin in begins.items():
        offset = committed.get(partition, begin)
        found[partition] = offset if begin <= offset <= ends[partition] else begin
    return found


def _expired(
    committed: Mapping[Partition, int], begins: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    offsets = {partition: committed.get(partition, -1) for partition in begins}
    return {each: (offsets[each], begin - 1) for each, begin in begins.items() if 0 <= offsets[each] < begin}


async def _borders(
    connection: KafkaConnection, partitions: Sequence[TopicPartition]
) -> tuple[dict[Partition, int], dict[Partition, int], dict[Partition, int]]:
    """Return first offsets, ends, and ends of what no open transaction holds back."""
    if not partitions:
        return {}, {}, {}
    consumers: list[Any] = [
        AIOKafkaConsumer(bootstrap_servers=connection.bootstrap, isolation_level=level, **connection.options)
        for level in ("read_uncommitted", "read_committed")
    ]
    try:
        for consumer in consumers:
            await consumer.start()
        begins = await consumers[0].beginning_offsets(partitions)
        return begins, *[await consumer.end_offsets(partitions) for consumer in consumers]
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(f"the broker did not tell its offsets: {error!r}") from error
    finally:
        for consumer in consumers:
            await consumer.stop()
