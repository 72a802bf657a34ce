"""The state of a consumer group on the brokers: members, committed offsets, ends of the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupIdNotFound, KafkaError, NoError, for_code

from chassis import clock
from chassis.kafka.connection import METADATA_AGE_MILLISECONDS_MAX, KafkaConnection
from chassis.kafka.errors import unavailable
from chassis.kafka.topics import connect_admin

NEW_SECONDS_MAX = 2 * METADATA_AGE_MILLISECONDS_MAX / 1000
"""A group by pattern notices a new topic when it reads the metadata anew, and then has to share it out."""

Partition = tuple[str, int]
"""Topic, with the deployment's prefix, and number of the partition."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """State of a consumer group.

    Attributes:
        members: number of consumers.
        positions: partition → offset of the next record to be read.
        ends: partition → offset after its last record.
        expired: partition → first and last offset of records that were deleted before the group read them.
        held_back: partitions in which an open transaction keeps the group from reading further.
        new: partitions that no member has yet, whose records are all younger than NEW_SECONDS_MAX.
    """

    members: int
    positions: Mapping[Partition, int]
    ends: Mapping[Partition, int]
    expired: Mapping[Partition, tuple[int, int]] = field(default_factory=dict[Partition, tuple[int, int]])
    held_back: frozenset[Partition] = frozenset()
    new: frozenset[Partition] = frozenset()

    @property
    def lag(self) -> int:
        """Number of records not yet read."""
        return sum(end - self.positions[partition] for partition, end in self.ends.items())


async def read_group(connection: KafkaConnection, group: str, topics: Sequence[str]) -> GroupState:
    """Return the state of a group on topics. Topics are named without prefix; missing ones are omitted.

    A partition without a committed offset is read from its beginning, as our consumers do. So is a partition
    whose committed offset lies outside its log: records have expired, or the topic was created anew.

    Raises:
        BrokerUnavailableError: no broker answers, or the group's coordinator is not ready.
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
        raise unavailable(f"the broker did not describe group {group}", error) from error
    finally:
        await admin.close()
    partitions = [
        TopicPartition(topic["topic"], each["partition"])
        for topic in topics_described
        for each in topic["partitions"]
    ]
    offsets = {partition: committed_at.offset for partition, committed_at in committed.items()}
    unassigned = [partition for partition in partitions if partition not in _assigned(described)]
    begins, ends, stable_ends, new = await _log_bounds(connection, partitions, unassigned)
    positions = _next_read(offsets, begins, ends)
    held_back = {each for each, end in ends.items() if positions[each] == stable_ends[each] < end}
    return GroupState(members, positions, ends, _expired(offsets, begins), frozenset(held_back), new)


def _count_members(described: Sequence[Any]) -> int:
    count = 0
    for group in (group for response in described for group in response.groups):
        error = for_code(group[0])
        # A coordinator that is loading or has moved also answers with no members.
        if error not in {NoError, GroupIdNotFound}:
            raise error("try again in a moment")
        count += len(group[5])
    return count


def _assigned(described: Sequence[Any]) -> frozenset[Partition]:
    """Return the partitions that the members have shared out among them."""
    assignments = (
        ConsumerProtocolMemberAssignment.decode(assignment)
        for response in described
        for group in response.groups
        for *_, assignment in group[5]
        if assignment
    )
    return frozenset(partition for each in assignments for partition in each.partitions())


def _next_read(
    committed: Mapping[Partition, int], begins: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> dict[Partition, int]:
    positions: dict[Partition, int] = {}
    for partition, begin in begins.items():
        offset = committed.get(partition, begin)
        positions[partition] = offset if begin <= offset <= ends[partition] else begin
    return positions


def _expired(
    committed: Mapping[Partition, int], begins: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    offsets = {partition: committed.get(partition, -1) for partition in begins}
    return {each: (offsets[each], begin - 1) for each, begin in begins.items() if 0 <= offsets[each] < begin}


async def _new(
    consumer: Any, unassigned: Sequence[TopicPartition], begins: Mapping[Partition, int]
) -> frozenset[Partition]:
    """Return the partitions whose first record ever is younger than NEW_SECONDS_MAX."""
    since = round((clock.now().timestamp() - NEW_SECONDS_MAX) * 1000)
    first: Any = await consumer.offsets_for_times(dict.fromkeys(unassigned, since)) if unassigned else {}
    return frozenset(each for each, record in first.items() if record and record.offset == begins[each] == 0)


async def _log_bounds(
    connection: KafkaConnection,
    partitions: Sequence[TopicPartition],
    unassigned: Sequence[TopicPartition],
) -> tuple[dict[Partition, int], dict[Partition, int], dict[Partition, int], frozenset[Partition]]:
    """Return first offsets, ends, ends before the first open transaction, and the new ones."""
    if not partitions:
        return {}, {}, {}, frozenset()
    consumers: list[Any] = [
        AIOKafkaConsumer(bootstrap_servers=connection.bootstrap, isolation_level=level, **connection.options)
        for level in ("read_uncommitted", "read_committed")
    ]
    try:
        for consumer in consumers:
            await consumer.start()
        begins = await consumers[0].beginning_offsets(partitions)
        ends, stable_ends = [await consumer.end_offsets(partitions) for consumer in consumers]
        return begins, ends, stable_ends, await _new(consumers[0], unassigned, begins)
    except (KafkaError, OSError) as error:
        raise unavailable("the broker did not return its offsets", error) from error
    finally:
        for consumer in consumers:
            await consumer.stop()
