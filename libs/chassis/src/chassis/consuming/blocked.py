"""Messages that block their keys, and when each is tried again. Pure."""

from collections.abc import Iterator

from chassis.consuming.partition_queue import Entry, EntryState, Partition
from chassis.consuming.partitions import AssignedPartitions
from chassis.messaging.failures import FailureKind


class BlockedMessages:
    """The blocked messages of one group member. Later messages of their keys wait, other keys continue.

    Args:
        partitions: with the queues of the messages.
    """

    def __init__(self, partitions: AssignedPartitions) -> None:
        self._partitions = partitions
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(self, entry: Entry) -> None:
        """Block the key of a message, unless the message is blocked already."""
        if entry.state is EntryState.QUEUED:
            self._partitions.queue_of(entry).block(entry)
            self._entries.append(entry)

    def discard(self, entry: Entry) -> None:
        """Forget a message that is done."""
        self._entries = [other for other in self._entries if other is not entry]

    def drop(self, partition: Partition) -> None:
        """Forget the messages of a partition that is no longer assigned."""
        self._entries = [entry for entry in self._entries if entry.partition != partition]

    def release(self, kind: FailureKind) -> None:
        """Return the messages whose newest failure is of this kind to their queues."""
        for entry in [entry for entry in self._entries if entry.kind is kind]:
            self._partitions.queue_of(entry).unblock(entry)
            entry.attempts = 0
        self._entries = [entry for entry in self._entries if entry.state is EntryState.BLOCKED]

    def has_key_of(self, entry: Entry) -> bool:
        """Return whether a message of the same partition and key is blocked."""
        return any(
            other.partition == entry.partition and other.message.key == entry.message.key
            for other in self._entries
        )

    def malformed_due(self, now: float) -> Entry | None:
        """Return a message that cannot be decoded and is due."""
        due = (entry for entry in self._open(now) if entry.retry_at <= now)
        return next((entry for entry in due if entry.kind is FailureKind.MALFORMED), None)

    def next_to_retry(self, now: float) -> Entry | None:
        """Return the message that is due first, now or later. Messages of halted partitions are left out."""
        return min(self._open(now), key=lambda entry: entry.retry_at, default=None)

    def next_retry_at(self, now: float) -> float | None:
        """Return when the first message is due or the first halt ends; None without either."""
        times = [entry.retry_at for entry in self._open(now)]
        return min([*times, *self._partitions.halts(now).values()], default=None)

    def in_use(self, now: float, *, seconds_min: float) -> list[Entry]:
        """Return the messages that have waited so long for another session, the longest first."""
        waiting = [e for e in self._entries if e.in_use_attempts and now - e.in_use_since >= seconds_min]
        return sorted(waiting, key=lambda entry: entry.in_use_since)

    def _open(self, now: float) -> list[Entry]:
        return [entry for entry in self._entries if not self._partitions.is_halted(entry, now)]
