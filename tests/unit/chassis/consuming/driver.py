"""Drive the state machine by hand, without Kafka or database. A function decides which messages fail."""

from collections.abc import Callable, Collection

from chassis.consuming.limits import LOCK_MILLISECONDS_MAX, Limits
from chassis.consuming.partition_queue import Partition
from chassis.consuming.state_machine import ConsumerStateMachine
from chassis.consuming.steps import ApplyBatch, LastAttempt, Step, Wait
from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message

PARTITION: Partition = ("t", 0)


def message(offset: int, key: str = "", partition: Partition = PARTITION, *, value: bytes = b"") -> Message:
    """Return a message. Without a key, its offset is its key."""
    return Message(*partition, offset, (key or str(offset)).encode(), value, ())


def only(kind: FailureKind, *offsets: int) -> Callable[[Message], FailureKind | None]:
    """Return a function for `Driver.fails`: these messages fail, and no others."""
    return lambda one: kind if one.offset in offsets else None


class Driver:
    """Takes the steps of the state machine and records their outcomes.

    Attributes:
        fails: returns the kind of failure of a message, None if it can be applied.
        full: offsets without room for a dead letter.
        in_use: keys on whose dead letters another session works.
        locked: keys whose row another session has locked; the handler detects that.
        locked_unseen: the same; the transaction runs into its lock timeout.
        has_effects: applied messages have effects.
        keeps: True: messages are set aside. False: there is no room. None: setting aside fails.
        batches: offsets of all batches that were tried.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.machine = ConsumerStateMachine(limits)
        self.now = 100.0
        self.fails: Callable[[Message], FailureKind | None] = lambda _: None
        self.full: Collection[int] = ()
        self.in_use: Collection[bytes] = ()
        self.locked: Collection[bytes] = ()
        self.locked_unseen: Collection[bytes] = ()
        self.has_effects = True
        self.keeps: bool | None = True
        self.applied: list[int] = []
        self.set_aside: list[int] = []
        self.committed: dict[Partition, int] = {}
        self.batches: list[list[int]] = []

    def assign(self, *partitions: Partition) -> None:
        self.machine.assign(partitions or [PARTITION])

    def receive(self, *messages: Message) -> None:
        for one in messages:
            self.machine.partitions.receive((one.topic, one.partition), [one])

    def step(self) -> Step:
        """Take one step. A wait lets time pass."""
        step = self.machine.next_step(self.now)
        if isinstance(step, ApplyBatch):
            self.apply_batch(step)
        elif isinstance(step, LastAttempt):
            self.make_last_attempt(step)
        elif step.until is not None:
            assert step.until > self.now, "it would spin"
            self.now = step.until
        self.committed.update(self.machine.partitions.offsets_to_commit())
        self.machine.partitions.record_committed(self.committed)
        return step

    def apply_batch(self, step: ApplyBatch) -> None:
        self.now += 0.01
        self.batches.append([one.offset for one in step.messages])
        in_use = [one for one in step.messages if one.key in self.in_use]
        no_room = [one for one in step.messages if one.offset in self.full]
        free = [one for one in step.messages if one not in in_use and one not in no_room]
        if locked := [one for one in free if one.key in self.locked]:
            self.machine.record_failed(step, FailureKind.BUSY, "row locked", self.now, in_use=locked)
            return
        if any(one.key in self.locked_unseen for one in free):
            self.now += LOCK_MILLISECONDS_MAX / 1000
            self.machine.record_failed(step, FailureKind.BUSY, "row locked", self.now)
            return
        kinds = [kind for one in free if (kind := self.fails(one))]
        if kinds:
            self.machine.record_failed(step, kinds[0], kinds[0].name, self.now)
            return
        self.applied += [one.offset for one in free]
        effects = len(free) * self.has_effects
        self.machine.record_applied(step, effects=effects, no_room=no_room, in_use=in_use, now=self.now)

    def make_last_attempt(self, step: LastAttempt) -> None:
        """Try the message once more, and set it aside if it fails."""
        self.now += 0.01
        message = step.entry.message
        self.batches.append([message.offset])
        kind = self.fails(message)
        if kind is None:
            self.applied.append(message.offset)
            self.machine.record_applied(ApplyBatch([step.entry]), effects=int(self.has_effects), now=self.now)
        elif self.keeps is None or not kind.may_set_aside:
            kind = FailureKind.STORE if kind.may_set_aside else kind
            self.machine.record_failed(step, kind, "not stored", self.now)
        else:
            if self.keeps:
                self.set_aside.append(message.offset)
            self.machine.record_set_aside(step, kind, kept=self.keeps, now=self.now)

    def run(self, seconds_max: float = 600.0) -> None:
        """Take steps until there is nothing to do, or the time is over."""
        ends_at = self.now + seconds_max
        while self.now < ends_at:
            step = self.step()
            if isinstance(step, Wait) and step.until is None:
                return
