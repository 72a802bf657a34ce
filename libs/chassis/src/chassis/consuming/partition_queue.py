"""What a consumer has of one partition: messages in order, and how far the offset may go. Pure."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message

Place = tuple[str, int]
"""Topic, without the deployment's prefix, and partition."""


class Standing(Enum):
    """How a message stands with its consumer."""

    QUEUED = auto()
    HELD = auto()
    """It failed: the later ones of its key wait for it, the others go on."""
    DONE = auto()
    """Applied, or set aside: its offset may pass once those before it are done too."""


@dataclass(slots=True, eq=False)
class Entry:
    """A message in memory.

    Attributes:
        message: without its content once it is done and waits for those before it.
        epoch: of the assignment under which it came; what happens to it later counts only under that one.
        attempts: that failed with this message alone, whatever the reason.
        failures: those that failed for a reason that may lie in the message.
        retry_at: when a held one is tried again.
        kind: of its newest failure.
        error: of its newest failure.
        is_unkept: setting it aside failed.
        others_applied: another message had an effect since this one first failed by itself.
        others_passed: another message was done with, with or without effect, since then.
        in_use: attempts in a row that met a lock of another session.
        in_use_since: when the first of them was made.
    """

    message: Message
    place: Place
    epoch: int
    standing: Standing = Standing.QUEUED
    attempts: int = 0
    failures: int = 0
    retry_at: float = 0.0
    kind: FailureKind | None = None
    error: str = ""
    is_unkept: bool = False
    others_applied: bool = False
    others_passed: bool = False
    in_use: int = 0
    in_use_since: float = 0.0


class PartitionQueue:
    """One assigned partition.

    Attributes:
        epoch: of its assignment.
        size_bytes: of the messages that are not done.
        paused: whether Kafka has been told to send no more of it.
        halted_until: nothing of it is tried before this time.
        position: the next offset to be committed, None before anything is done.
        read_to: every record before this offset was received; None where nobody said so.
        committed: what was last committed.
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
        self._held = 0

    def __len__(self) -> int:
        return len(self._entries)

    def receive(self, place: Place, messages: Sequence[Message]) -> None:
        """Queue what Kafka sent, in its order.

        Offsets that begin again are taken too: the topic was made anew, or cut after a broker was lost.
        """
        for message in messages:
            self._entries.append(Entry(message, place, self.epoch))
            self.size_bytes += message.size_bytes

    def note_read(self, offset: int) -> bool:
        """Let the position pass what holds no record for us: transaction markers, aborted records.

        Return whether the position moved.
        """
        self.read_to = offset
        if self._entries or self.position == offset:
            return False
        self.position = offset
        return True

    def first_undone(self) -> tuple[int | None, float | None]:
        """Its offset and when it was sent; the next to commit and None where nothing is in memory."""
        if self._entries:
            first = self._entries[0].message
            return first.offset, first.sent_at
        return self.position, None

    def candidates(self) -> Iterator[Entry]:
        """Queued messages in order, without those whose key has a held one before them."""
        if not self._held:
            yield from (entry for entry in self._entries if entry.standing is Standing.QUEUED)
            return
        waiting: set[bytes] = set()
        for entry in self._entries:
            if entry.standing is Standing.HELD:
                waiting.add(entry.message.key)
            elif entry.standing is Standing.QUEUED and entry.message.key not in waiting:
                yield entry

    def hold(self, entry: Entry) -> None:
        """Let the other keys pass this queued message."""
        entry.standing = Standing.HELD
        self._held += 1

    def release(self, entry: Entry) -> None:
        """Put a held message back into its place among the queued ones."""
        entry.standing = Standing.QUEUED
        self._held -= 1

    def settle(self, entry: Entry) -> None:
        """This message is done; the offset passes as far as everything before it is done too."""
        self._held -= entry.standing is Standing.HELD
        entry.standing = Standing.DONE
        self.size_bytes -= entry.message.size_bytes
        if self._entries[0] is not entry:  # it waits for those before it, with nothing but its offset
            entry.message = entry.message.without_content()
        while self._entries and self._entries[0].standing is Standing.DONE:
            self.position = self._entries.popleft().message.offset + 1
        if not self._entries and self.position is not None:
            self.position = max(self.position, self.read_to or 0)
