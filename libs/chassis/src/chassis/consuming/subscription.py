"""How a consumer hangs on FastStream and aiokafka: every delivery option stated (foundations §3)."""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.middlewares import AckPolicy

from chassis.consuming.reading import Positions, Reading, Reported

__all__ = ["Positions", "exactly", "subscribe"]

POLL_MESSAGES_MAX = 500
POLL_WAIT_MILLISECONDS = 20
FETCH_BYTES_MAX = 16 * 1024 * 1024
PARTITION_FETCH_BYTES_MAX = 2 * 1024 * 1024
POLL_INTERVAL_MILLISECONDS_MAX = 300_000
SESSION_MILLISECONDS_MAX = 10_000
HEARTBEAT_MILLISECONDS = 2_000


class Member(Reported, Protocol):
    """What a rebalance and the client's bookkeeping ask of a consumer."""

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions are ours from now on."""
        ...

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions go when this returns."""
        ...


def subscribe(
    broker: KafkaBroker,
    member: Member,
    take: Callable[[Sequence[Any]], Awaitable[None]],
    *,
    group: str,
    topics: Sequence[str] = (),
    pattern: str | None = None,
) -> Any:
    """Subscribe without any of FastStream's defaults, which are at-most-once. Returns its subscriber.

    Args:
        broker: from `chassis.consuming.broker.build_broker`.
        member: told of rebalances.
        take: given the records of each poll.
        group: the consumer group.
        topics: full names; or else
        pattern: a regular expression over full names.
    """
    subscriber: Any = broker.subscriber(
        *topics,
        pattern=pattern,
        batch=True,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="none",  # `Reading` sets positions: earliest, and with a word about it
        isolation_level="read_committed",
        no_reply=True,
        group_id=group,
        batch_timeout_ms=POLL_WAIT_MILLISECONDS,
        max_records=POLL_MESSAGES_MAX,
        fetch_max_bytes=FETCH_BYTES_MAX,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
        max_poll_interval_ms=POLL_INTERVAL_MILLISECONDS_MAX,
        session_timeout_ms=SESSION_MILLISECONDS_MAX,
        heartbeat_interval_ms=HEARTBEAT_MILLISECONDS,
        listener=RebalanceListener(member),
        parser=keep_bytes,
        decoder=raw_records,
    )
    reading = Reading(member, subscriber.get_msg, take)
    subscriber.get_msg = reading.poll
    subscriber(reading.take)
    return subscriber


def exactly(prefix: str, pattern: str) -> str:
    """A pattern over names as on their cards, for the full names of one deployment."""
    return f"^{re.escape(prefix)}{pattern}$"


class RebalanceListener(ConsumerRebalanceListener):
    """A rebalance does not wait for a handler by itself: without this, two members work on one partition."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, revoked: Any
    ) -> None:
        """Awaited before the group gives the partitions to another member."""
        await self._member.on_revoked(revoked)

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, assigned: Any
    ) -> None:
        """Awaited before the first record of them is fetched."""
        await self._member.on_assigned(assigned)


async def keep_bytes(records: tuple[Any, ...]) -> KafkaAckableMessage:
    """FastStream's own parser decodes headers, and one that is not UTF-8 would block the partition."""
    return KafkaAckableMessage(body=b"", headers={}, raw_message=records, consumer=_NO_CONSUMER)


async def raw_records(message: KafkaAckableMessage) -> Any:
    """What was polled, as it came."""
    return message.raw_message


class _NoConsumer:
    """FastStream never commits for us: the shell does, with explicit offsets."""

    async def commit(self) -> None:
        raise RuntimeError("offsets are committed by chassis.consuming alone")

    def seek(self, partition: Any, offset: int) -> None:
        del partition, offset
        raise RuntimeError("offsets are sought by chassis.consuming alone")


_NO_CONSUMER = _NoConsumer()
