"""The partitions assigned to a group member: their queues, back-pressure, offsets and epochs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.consuming.limits import Limits
from chassis.consuming.partition_queue import Entry, EntryState, Partition, PartitionQueue
from chassis.messaging.message import Message

RESUME_SHARE_MAX = 0.5
"""A paused partition resumes when no more than this part of its share is used."""


@dataclass(frozen=True, slots=True)
class FlowChange:
    """Partitions of which Kafka shall send no more records, and partitions that may continue."""

    pause: list[Partition]
    resume: list[Partition]


class AssignedPartitions:
    """The partitions of one group member.

    Args:
        limits: of memory and batches.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queues: dict[Partition, PartitionQueue] = {}
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._queues)

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Add partitions with empty queues, under a new epoch."""
        self._epoch += 1
        for partition in partitions:
            self._queues[partition] = PartitionQueue(self._epoch)

    def drop(self, partition: Partition) -> bool:
        """Forget a partition and its messages. Return whether it was assigned."""
        return self._queues.pop(partition, None) is not None

    def receive(self, partition: Partition, messages: Sequence[Message]) -> None:
        """Queue messages in order of their offsets. Ignore messages of a partition that is not assigned."""
        queue = self._queues.get(partition)
        if queue is not None:
            queue.receive(partition, messages)

    def record_read_to(self, partition: Partition, offset: int) -> bool:
        """Record that every record before this offset was received. Return whether a position moved."""
        queue = self._queues.get(partition)
        return queue is not None and queue.record_read_to(offset)

    # --- back-pressure and offsets -----------------------------------------------------------

    def flow_change(self) -> FlowChange:
        """Return which partitions to pause and to resume since the last call.

        A partition is paused when its share of memory is used. It resumes at half of its share, so that it
        does not alternate with every batch.
        """
        share_bytes = self._limits.buffer_bytes_max // max(1, len(self._queues))
        change = FlowChange([], [])
        for partition, queue in self._queues.items():
            used = max(len(queue) / self._limits.partition_messages_max, queue.size_bytes / share_bytes)
            if not queue.paused and used >= 1:
                queue.paused = True
                change.pause.append(partition)
            elif queue.paused and used <= RESUME_SHARE_MAX:
                queue.paused = False
                change.resume.append(partition)
        return change

    def offsets_to_commit(self) -> Mapping[Partition, int]:
        """Return the next offset to be read of each partition whose position moved since its last commit."""
        return {
            partition: queue.position
            for partition, queue in self._queues.items()
            if queue.position is not None and queue.position != queue.committed
        }

    def record_committed(self, offsets: Mapping[Partition, int]) -> None:
        """Record that Kafka stored these offsets."""
        for partition, offset in offsets.items():
            if partition in self._queues:
                self._queues[partition].committed = offset

    def backlog(self) -> Mapping[Partition, tuple[int | None, float | None]]:
        """Return for each partition the first offset that is not done, and its timestamp."""
        return {partition: queue.first_undone() for partition, queue in self._queues.items()}

    # --- messages ----------------------------------------------------------------------------

    def next_batch(self, now: float, *, messages_max: int) -> list[Entry]:
        """Return messages for one transaction, in order per partition. Partitions take turns."""
        entries: list[Entry] = []
        size_bytes = 0
        for partition in self._in_turn(now):
            for entry in self._queues[partition].candidates():
                size_bytes += entry.message.size_bytes
                if entries and size_bytes > self._limits.batch_bytes_max:
                    return entries
                entries.append(entry)
                if len(entries) >= messages_max:
                    return entries
        return entries

    def _in_turn(self, now: float) -> list[Partition]:
        """Return the partitions to take messages from. The first one is the last at the next call."""
        ready = [key for key, queue in self._queues.items() if queue.halted_until <= now and len(queue)]
        if ready:
            self._queues[ready[0]] = self._queues.pop(ready[0])
        return ready

    def have_candidates(self) -> bool:
        """Return whether a queued message could be tried, now or after a halt."""
        return any(True for queue in self._queues.values() for _ in queue.candidates())

    def is_current(self, entry: Entry) -> bool:
        """Return whether an outcome counts: the message is not done, its partition is assigned as it was."""
        queue = self._queues.get(entry.partition)
        return queue is not None and queue.epoch == entry.epoch and entry.state is not EntryState.DONE

    def queue_of(self, entry: Entry) -> PartitionQueue:
        """Return the queue of a current message."""
        return self._queues[entry.partition]

    # --- halts -------------------------------------------------------------------------------

    def halt(self, entry: Entry, until: float) -> None:
        """Try no message of the partition before this time: there is no room to store a dead letter."""
        self.queue_of(entry).halted_until = until

    def is_halted(self, entry: Entry, now: float) -> bool:
        """Return whether the partition of a current message is halted."""
        return self.queue_of(entry).halted_until > now

    def halts(self, now: float) -> Mapping[Partition, float]:
        """Return the halted partitions, and until when."""
        return {key: queue.halted_until for key, queue in self._queues.items() if queue.halted_until > now}
