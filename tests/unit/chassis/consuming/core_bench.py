"""A core driven by hand: no transactions, no Kafka; what fails is said by a function of the message."""

from collections.abc import Callable, Collection

from chassis.consuming.limits import LOCK_MILLISECONDS_MAX, Limits
from chassis.consuming.partition_queue import Place
from chassis.consuming.state_machine import Core
from chassis.consuming.steps import Apply, SetAside, Step, Wait
from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message

PLACE: Place = ("t", 0)


def message(offset: int, key: str = "", place: Place = PLACE, *, value: bytes = b"") -> Message:
    """A message; without a key its offset is its key."""
    return Message(*place, offset, (key or str(offset)).encode(), value, ())


def only(kind: FailureKind, *offsets: int) -> Callable[[Message], FailureKind | None]:
    """Return a function for `Bench.fails` by which exactly these fail."""
    return lambda one: kind if one.offset in offsets else None


class Bench:
    """Takes the core's steps and keeps account of what came of them.

    Attributes:
        fails: the kind of failure of a message, None if it can be applied.
        full: offsets for which there is no room.
        in_use: keys whose line somebody else works on.
        locked: keys whose row somebody else has locked, as a handler finds out beforehand.
        locked_unseen: keys on whose row a transaction waits in vain.
        has_effects: whether what is applied has an effect.
        keeps: whether setting aside works; None lets it fail.
        batches: offsets of every batch tried.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.core = Core(limits)
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
        self.committed: dict[Place, int] = {}
        self.batches: list[list[int]] = []

    def assign(self, *places: Place) -> None:
        self.core.assign(places or [PLACE])

    def receive(self, *messages: Message) -> None:
        for one in messages:
            self.core.receive((one.topic, one.partition), [one])

    def step(self) -> Step:
        """One step; a wait lets time pass."""
        step = self.core.next_step(self.now)
        if isinstance(step, Apply):
            self.settle_batch(step)
        elif isinstance(step, SetAside):
            self.settle_last_attempt(step)
        elif step.until is not None:
            assert step.until > self.now, "it would spin"
            self.now = step.until
        self.committed.update(self.core.to_commit())
        self.core.committed(self.committed)
        return step

    def settle_batch(self, step: Apply) -> None:
        self.now += 0.01
        self.batches.append([one.offset for one in step.messages])
        in_use = [one for one in step.messages if one.key in self.in_use]
        no_room = [one for one in step.messages if one.offset in self.full]
        free = [one for one in step.messages if one not in in_use and one not in no_room]
        if named := [one for one in free if one.key in self.locked]:
            self.core.failed(step, FailureKind.BUSY, "row locked", self.now, in_use=named)
            return
        if any(one.key in self.locked_unseen for one in free):
            self.now += LOCK_MILLISECONDS_MAX / 1000
            self.core.failed(step, FailureKind.BUSY, "row locked", self.now)
            return
        kinds = [kind for one in free if (kind := self.fails(one))]
        if kinds:
            self.core.failed(step, kinds[0], kinds[0].name, self.now)
            return
        self.applied += [one.offset for one in free]
        effects = len(free) * self.has_effects
        self.core.applied(step, effects=effects, no_room=no_room, in_use=in_use, now=self.now)

    def settle_last_attempt(self, step: SetAside) -> None:
        """Try the message once more, and keep it if it fails by itself."""
        self.now += 0.01
        message = step.entry.message
        self.batches.append([message.offset])
        kind = self.fails(message)
        if kind is None:
            self.applied.append(message.offset)
            self.core.applied(Apply([step.entry]), effects=int(self.has_effects), now=self.now)
        elif self.keeps is None or not kind.may_set_aside:
            self.core.failed(step, FailureKind.STORE if kind.may_set_aside else kind, "not kept", self.now)
        else:
            if self.keeps:
                self.set_aside.append(message.offset)
            self.core.set_aside(step, kind, kept=self.keeps, now=self.now)

    def run(self, seconds_max: float = 600.0) -> None:
        """Until there is nothing to do, or time is over."""
        ends_at = self.now + seconds_max
        while self.now < ends_at:
            step = self.step()
            if isinstance(step, Wait) and step.until is None:
                return
