"""The messages of one partition in memory, in order, and the offset that may be committed. Pure."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message

Partition = tuple[str, int]
"""Topic, as on its topic card, and partition number."""


class EntryState(Enum):
    """State of a message in memory.

    Attributes:
        QUEUED: not tried yet, or only in a batch.
        BLOCKED: failed. Later messages of its key wait; other keys continue.
        DONE: applied or set aside. Its offset is committed once all messages before it are done.
    """

    QUEUED = auto()
    BLOCKED = auto()
    DONE = auto()


@dataclass(slots=True, eq=False)
class Entry:
    """A message in memory.

    Attributes:
        message: without its content once it is done and waits for the messages before it.
        partition: that the message came from.
        epoch: of the assignment under which it came. Later outcomes count under this epoch only.
        state: queued, blocked or done.
        attempts: failed attempts with this message alone, whatever the reason.
        failures: those of them that may be the fault of the message.
        retry_at: when a blocked message is tried again.
        kind: of the newest failure.
        error: of the newest failure.
        is_unkept: it could not be set aside.
        others_applied: another message had an effect since this one first failed alone.
        others_passed: another message was done, with or without effect, since then.
        in_use_attempts: attempts in a row that met a lock of another session.
        in_use_since: time of the first of them.
    """

    message: Message
    partition: Partition
    epoch: int
    state: EntryState = EntryState.QUEUED
    attempts: int = 0
    failures: int = 0
    retry_at: float = 0.0
    kind: FailureKind | None = None
    error: str = ""
    is_unkept: bool = False
    others_applied: bool = False
    others_passed: bool = False
    in_use_attempts: int = 0
    in_use_since: float = 0.0


class PartitionQueue:
    """One assigned partition.

    Attributes:
        epoch: of its assignment.
        size_bytes: of the messages that are not done.
        paused: Kafka was told to send no more records.
        halted_until: no message is tried before this time.
        position: the next offset to be committed; None before a message is done.
        read_to: every record before this offset was received; None if not known.
        committed: the offset that was committed last.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.size_bytes = 0
        self.paused = False
        self.halted_until = 0.0
        self.position: int | None = None
        self.committed: int | None = None
        self.read_to: int | None = None
        self._entries: deque[Entry] = deque()
        self._blocked = 0

    def __len__(self) -> int:
        return len(self._entries)

    def receive(self, partition: Partition, messages: Sequence[Message]) -> None:
        """Queue messages in the order of Kafka.

        Lower offsets than before are accepted: the topic was recreated, or cut after a broker was lost.
        """
        for message in messages:
            self._entries.append(Entry(message, partition, self.epoch))
            self.size_bytes += message.size_bytes

    def record_read_to(self, offset: int) -> bool:
        """Let the position pass offsets without a record for us: transaction markers, aborted records.

        Return whether the position moved.
        """
        self.read_to = offset
        if self._entries or self.position == offset:
            return False
        self.position = offset
        return True

    def first_undone(self) -> tuple[int | None, float | None]:
        """Return offset and timestamp of the first message, or the position and None without messages."""
        if self._entries:
            first = self._entries[0].message
            return first.offset, first.sent_at
        return self.position, None

    def candidates(self) -> Iterator[Entry]:
        """Return the queued messages in order, without those behind a blocked message of their key."""
        if not self._blocked:
            yield from (entry for entry in self._entries if entry.state is EntryState.QUEUED)
            return
        blocked_keys: set[bytes] = set()
        for entry in self._entries:
            if entry.state is EntryState.BLOCKED:
                blocked_keys.add(entry.message.key)
            elif entry.state is EntryState.QUEUED and entry.message.key not in blocked_keys:
                yield entry

    def block(self, entry: Entry) -> None:
        """Block the key of a queued message."""
        entry.state = EntryState.BLOCKED
        self._blocked += 1

    def unblock(self, entry: Entry) -> None:
        """Return a blocked message to its position among the queued ones."""
        entry.state = EntryState.QUEUED
        self._blocked -= 1

    def mark_done(self, entry: Entry) -> None:
        """Mark a message done. The position passes it if all messages before it are done."""
        self._blocked -= entry.state is EntryState.BLOCKED
        entry.state = EntryState.DONE
        self.size_bytes -= entry.message.size_bytes
        if self._entries[0] is not entry:  # it waits for those before it: only its offset is needed
            entry.message = entry.message.without_content()
        while self._entries and self._entries[0].state is EntryState.DONE:
            self.position = self._entries.popleft().message.offset + 1
        if not self._entries and self.position is not None:
            self.position = max(self.position, self.read_to or 0)
