"""The steps that the state machine asks the consumer to take."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.consuming.partition_queue import Entry
from chassis.messaging.message import Message


@dataclass(frozen=True, slots=True)
class ApplyBatch:
    """Apply these messages in one transaction, in this order."""

    entries: Sequence[Entry]

    @property
    def messages(self) -> list[Message]:
        return [entry.message for entry in self.entries]


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """Try this message once more. If it fails, set it aside in the same transaction."""

    entry: Entry

    @property
    def entries(self) -> Sequence[Entry]:
        return (self.entry,)


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing before `until` (monotonic seconds), or before records arrive if `until` is None."""

    until: float | None


Step = ApplyBatch | LastAttempt | Wait
