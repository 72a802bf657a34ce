"""Polls a client and reports what only the client knows: how far it has read, and where it had to jump.

The client itself never resets a position (`auto_offset_reset="none"`): its reset is silent, and hides
that records expired before this group read them. Here the broker's "offset out of range" says exactly which
offset was expected, so control records, aborted transactions and compaction are never taken for a loss.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from chassis.observability.logs import get_logger

_log = get_logger(__name__)

Positions = Mapping[TopicPartition, int]
"""The offset of the next record that the client fetches, by partition."""


class Reported(Protocol):
    """What a member of a group does with what the client knows."""

    def on_read(self, positions: Positions) -> None:
        """Note that every record before these offsets was handed over."""
        ...

    def on_lost(self, partition: TopicPartition, first: int, beyond: int) -> None:
        """Note that the records from `first` up to `beyond` were deleted before this group read them."""
        ...


class Reading:
    """The polls of one subscriber.

    Args:
        member: told how far the client has read and what it found deleted.
        poll: FastStream's own, given the client.
        take: given the records of each poll.
    """

    def __init__(
        self,
        member: Reported,
        poll: Callable[[Any], Awaitable[Sequence[Any]]],
        take: Callable[[Sequence[Any]], Awaitable[None]],
    ) -> None:
        self._member = member
        self._poll = poll
        self._take = take
        self._positions: Positions = {}

    async def poll(self, consumer: Any) -> Sequence[Any]:
        """Return the next records, none where there are none or a position had to be set first."""
        try:
            records = await self._poll(consumer)
        except OffsetOutOfRangeError as error:
            expected: Mapping[TopicPartition, int] = error.args[0]
            await _set_anew(consumer, expected, self._member)
            return ()
        except NoOffsetForPartitionError as error:
            await _begin(consumer, error.args[0])
            return ()
        # Nothing is awaited from here to `take`: the positions are those behind exactly these records.
        self._positions = positions_of(consumer)
        if not records:
            self._member.on_read(self._positions)
        return records

    async def take(self, records: Sequence[Any]) -> None:
        """Hand the records of a poll over, then how far the client has read with them."""
        await self._take(records)
        self._member.on_read(self._positions)


def positions_of(consumer: Any) -> dict[TopicPartition, int]:
    """Return the positions of the assigned partitions that have one.

    aiokafka's own `position` waits where there is none, and a wait would let a rebalance in between.
    """
    subscription = consumer._subscription.subscription  # noqa: SLF001 - as above
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return {}
    states = {partition: assignment.state_value(partition) for partition in assignment.tps}
    return {partition: state.position for partition, state in states.items() if state.has_valid_position}


async def _set_anew(consumer: Any, expected: Positions, member: Reported) -> None:
    """Go on at the first record that is left, and report what is missing before it."""
    begins: Positions = await consumer.beginning_offsets(list(expected))
    ends: Positions = await consumer.end_offsets(list(expected))
    for partition, offset in expected.items():
        begin = begins[partition]
        if begin <= offset <= ends[partition]:
            continue  # the broker that refused it was behind: try again
        if not _seek(consumer, partition, begin):
            continue  # assigned elsewhere: its new owner is told the same
        if begin > offset:
            member.on_lost(partition, offset, begin)
        else:
            _log.warning(
                "the log ends before the offset to be read: the topic was made anew or cut; reading it from"
                " its first record",
                topic=partition.topic,
                partition=partition.partition,
                expected=offset,
                first=begin,
                end=ends[partition],
            )


async def _begin(consumer: Any, partition: TopicPartition) -> None:
    """Read partitions without a committed offset from their first record on: nothing says what was before."""
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
