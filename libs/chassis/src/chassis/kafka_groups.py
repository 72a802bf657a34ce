"""A consumer group as the brokers see it: its members, how far it has read, how far it could."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.kafka import KafkaConnection
from chassis.kafka_admin import connect_admin
from chassis.producer import BrokerUnavailableError

Partition = tuple[str, int]
"""Topic, with the deployment's prefix, and number."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """Members, and per partition the offset to be read next and the one after the last record."""

    members: int
    positions: Mapping[Partition, int]
    ends: Mapping[Partition, int]

    @property
    def lag(self) -> int:
        """Records that wait."""
        return sum(end - self.positions[partition] for partition, end in self.ends.items())


async def read_group(connection: KafkaConnection, group: str, topics: Sequence[str]) -> GroupState:
    """The state of a group on topics, which are named without the prefix; missing ones are left out.

    A partition without a committed offset is read from its beginning, as our consumers do.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
    admin = await connect_admin(connection)
    try:
        described: Any = await admin.describe_consumer_groups([group])
        members = sum(len(found[5]) for answer in described for found in answer.groups)
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
    begins, ends = await _borders(connection, partitions)
    positions = {
        partition: committed[partition].offset if partition in committed else begin
        for partition, begin in begins.items()
    }
    return GroupState(members, positions, ends)


async def _borders(
    connection: KafkaConnection, partitions: Sequence[TopicPartition]
) -> tuple[dict[Partition, int], dict[Partition, int]]:
    if not partitions:
        return {}, {}
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=connection.bootstrap, **connection.options)
    try:
        await consumer.start()
        return await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(f"the broker did not tell its offsets: {error!r}") from error
    finally:
        await consumer.stop()
