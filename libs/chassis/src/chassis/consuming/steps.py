"""What the core asks the shell to do."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chassis.consuming.partition_queue import Entry, Place
from chassis.messaging.message import Message


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply these in one transaction, in this order."""

    entries: Sequence[Entry]

    @property
    def messages(self) -> list[Message]:
        """What is to be applied."""
        return [entry.message for entry in self.entries]


@dataclass(frozen=True, slots=True)
class SetAside:
    """Try this message once more, and set it aside if it fails by itself: in one transaction."""

    entry: Entry

    @property
    def entries(self) -> Sequence[Entry]:
        """The one message."""
        return (self.entry,)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (monotonic seconds), or before something comes where it is None."""

    until: float | None


Step = Apply | SetAside | Wait


@dataclass(frozen=True, slots=True)
class Flow:
    """What Kafka is to be told about sending more."""

    pause: Collection[Place]
    resume: Collection[Place]
