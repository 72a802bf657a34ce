"""Subscribe a consumer with FastStream and aiokafka, every delivery option stated (foundations §3)."""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.middlewares import AckPolicy

from chassis.consuming.fetching import Fetches
from chassis.consuming.polling import Poller, PollListener, Positions

__all__ = ["Positions", "exactly", "subscribe"]

FETCH_BYTES_MAX = 16 * 1024 * 1024
PARTITION_FETCH_BYTES_MAX = 2 * 1024 * 1024
POLL_INTERVAL_MILLISECONDS_MAX = 300_000
SESSION_MILLISECONDS_MAX = 10_000
HEARTBEAT_MILLISECONDS = 2_000


class GroupMember(PollListener, Protocol):
    """Receives rebalances and the reports of the poller."""

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Add partitions, before their first record is fetched."""
        ...

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Remove partitions. Other members get them when this returns."""
        ...


def subscribe(
    broker: KafkaBroker,
    member: GroupMember,
    receive: Callable[[Sequence[Any]], Awaitable[None]],
    *,
    group: str,
    topics: Sequence[str] = (),
    pattern: str | None = None,
    fetch_wait_milliseconds: int = 0,
) -> Any:
    """Subscribe without any of FastStream's defaults, which are at-most-once. Return FastStream's subscriber.

    Args:
        broker: from `chassis.consuming.broker.build_broker`.
        member: receives rebalances, read positions and losses.
        receive: receives the records of each poll.
        group: the consumer group.
        topics: full names; or else
        pattern: a regular expression over full names.
        fetch_wait_milliseconds: how long a fetch collects records at the broker while records come.
    """
    subscriber: Any = broker.subscriber(
        *topics,
        pattern=pattern,
        batch=True,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="none",  # `Poller` sets positions: earliest, and with a report
        isolation_level="read_committed",
        no_reply=True,
        group_id=group,
        fetch_max_bytes=FETCH_BYTES_MAX,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
        max_poll_interval_ms=POLL_INTERVAL_MILLISECONDS_MAX,
        session_timeout_ms=SESSION_MILLISECONDS_MAX,
        heartbeat_interval_ms=HEARTBEAT_MILLISECONDS,
        listener=RebalanceListener(member),
        parser=keep_bytes,
        decoder=raw_records,
    )
    fetches = Fetches(fetch_wait_milliseconds)
    poller = Poller(member, fetches.poll, receive)
    subscriber.get_msg = poller.poll
    subscriber(poller.receive)
    return subscriber


def exactly(prefix: str, pattern: str) -> str:
    """Turn a pattern over names as on topic cards into one over the full names of a deployment."""
    return f"^{re.escape(prefix)}{pattern}$"


class RebalanceListener(ConsumerRebalanceListener):
    """Lets a rebalance wait for the step in flight. Otherwise two members would work on one partition."""

    def __init__(self, member: GroupMember) -> None:
        self._member = member

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, revoked: Any
    ) -> None:
        """Pass on the revocation, before the group gives the partitions to another member."""
        await self._member.on_revoked(revoked)

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, assigned: Any
    ) -> None:
        """Pass on the assignment, before the first record of the partitions is fetched."""
        await self._member.on_assigned(assigned)


async def keep_bytes(records: tuple[Any, ...]) -> KafkaAckableMessage:
    """Wrap the records of a poll without decoding them."""
    # FastStream's own parser decodes headers: one that is not UTF-8 would block the partition.
    return KafkaAckableMessage(body=b"", headers={}, raw_message=records, consumer=_NO_CONSUMER)


async def raw_records(message: KafkaAckableMessage) -> Any:
    """Return the records of the poll unchanged."""
    return message.raw_message


class _NoConsumer:
    """Refuses commits by FastStream: the consumer commits explicit offsets."""

    async def commit(self) -> None:
        raise RuntimeError("offsets are committed by chassis.consuming alone")

    def seek(self, partition: Any, offset: int) -> None:
        del partition, offset
        raise RuntimeError("offsets are set by chassis.consuming alone")


_NO_CONSUMER = _NoConsumer()
