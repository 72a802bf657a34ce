"""Poll the Kafka client, and report read positions and records that were deleted before they were read.

The client never resets a position itself (`auto_offset_reset="none"`): its reset would be silent, and would
hide that records expired before this group read them. The broker's error "offset out of range" names the
expected offset, so control records, aborted transactions and compaction are never reported as a loss.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from chassis.observability.logs import get_logger

_log = get_logger(__name__)

Positions = Mapping[TopicPartition, int]
"""Offset of the next record that the client fetches, by partition."""


class PollListener(Protocol):
    """Receives the reports of a poller."""

    def on_read(self, positions: Positions) -> None:
        """Note that all records before these offsets were delivered."""
        ...

    def on_lost(self, partition: TopicPartition, first: int, beyond: int) -> None:
        """Note that records were deleted before this group read them: from `first` up to before `beyond`."""
        ...


class Poller:
    """The polls of one subscriber.

    Args:
        listener: receives read positions and losses.
        poll: returns the next records of the client.
        receive: receives the records of each poll.
    """

    def __init__(
        self,
        listener: PollListener,
        poll: Callable[[Any], Awaitable[Sequence[Any]]],
        receive: Callable[[Sequence[Any]], Awaitable[None]],
    ) -> None:
        self._listener = listener
        self._poll = poll
        self._receive = receive
        self._positions: Positions = {}

    async def poll(self, consumer: Any) -> Sequence[Any]:
        """Return the next records; none if there are none, or if a position had to be set first."""
        try:
            records = await self._poll(consumer)
        except OffsetOutOfRangeError as error:
            expected: Mapping[TopicPartition, int] = error.args[0]
            await _reset_positions(consumer, expected, self._listener)
            return ()
        except NoOffsetForPartitionError as error:
            await _seek_to_beginning(consumer, error.args[0])
            return ()
        # Nothing is awaited from here to `receive`: the positions follow exactly these records.
        self._positions = positions_of(consumer)
        if not records:
            self._listener.on_read(self._positions)
        return records

    async def receive(self, records: Sequence[Any]) -> None:
        """Deliver the records of a poll, then report the read positions after them."""
        await self._receive(records)
        self._listener.on_read(self._positions)


def positions_of(consumer: Any) -> dict[TopicPartition, int]:
    """Return the positions of the assigned partitions that have one."""
    # aiokafka's own `position` waits if there is none, and during a wait a rebalance could happen.
    subscription = consumer._subscription.subscription  # noqa: SLF001 - as above
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return {}
    states = {partition: assignment.state_value(partition) for partition in assignment.tps}
    return {partition: state.position for partition, state in states.items() if state.has_valid_position}


async def _reset_positions(consumer: Any, expected: Positions, listener: PollListener) -> None:
    """Continue at the first record that still exists, and report the missing ones before it."""
    begins: Positions = await consumer.beginning_offsets(list(expected))
    ends: Positions = await consumer.end_offsets(list(expected))
    for partition, offset in expected.items():
        begin = begins[partition]
        if begin <= offset <= ends[partition]:
            continue  # the broker that refused the offset was behind: try again
        if not _seek(consumer, partition, begin):
            continue  # assigned elsewhere: its new owner gets the same error
        if begin > offset:
            listener.on_lost(partition, offset, begin)
        else:
            _log.warning(
                "the log ends before the next offset to be read: the topic was recreated or cut; reading it"
                " from its first record",
                topic=partition.topic,
                partition=partition.partition,
                expected=offset,
                first=begin,
                end=ends[partition],
            )


async def _seek_to_beginning(consumer: Any, partition: TopicPartition) -> None:
    """Read partitions without a committed offset from their first record on. Earlier losses are unknown."""
    known = positions_of(consumer)
    others = [each for each in consumer.assignment() if each not in known and each != partition]
    committed = await asyncio.gather(*(consumer.committed(each) for each in others))
    fresh = [partition, *(each for each, offset in zip(others, committed, strict=True) if offset is None)]
    begins = await consumer.beginning_offsets(fresh)
    for each in fresh:
        if each not in positions_of(consumer):
            _seek(consumer, each, begins[each])


def _seek(consumer: Any, partition: TopicPartition, offset: int) -> bool:
    try:
        consumer.seek(partition, offset)
    except IllegalStateError:
        return False
    return True
