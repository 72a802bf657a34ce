"""The consuming core against a simple model, whatever happens in which order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.consuming.limits import Limits
from chassis.consuming.partition_queue import Place
from chassis.consuming.state_machine import Core
from chassis.consuming.steps import Apply, SetAside, Wait
from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message
from unit.chassis.consuming.core_bench import message

PLACES: list[Place] = [("t", 0), ("t", 1)]
LIMITS = Limits(batch_messages_max=4, partition_messages_max=6, row_failures_max=3, window_failures_min=5)


class ConsumingModel(RuleBasedStateMachine):
    """The model: a log per partition, which messages are done, and since when which partition is ours."""

    def __init__(self) -> None:
        super().__init__()
        self.core = Core(LIMITS)
        self.now = 0.0
        self.log: dict[Place, list[Message]] = {place: [] for place in PLACES}
        self.committed = dict.fromkeys(PLACES, 0)
        self.positions: dict[Place, int] = {}
        self.done: set[tuple[Place, int]] = set()
        self.failures: dict[tuple[Place, int], list[int]] = {}
        self.successes = 0
        self.in_hand: Apply | SetAside | None = None
        self.is_stale = False

    @rule(place=st.sampled_from(PLACES), key=st.sampled_from("abc"))
    def produce(self, place: Place, key: str) -> None:
        self.log[place].append(message(len(self.log[place]), key, place))

    @rule()
    def fetch(self) -> None:
        for place, position in self.positions.items():
            self.core.receive(place, self.log[place][position:])
            self.positions[place] = len(self.log[place])

    @rule(places=st.sets(st.sampled_from(PLACES)))
    def rebalance(self, places: set[Place]) -> None:
        self.core.revoke(list(self.positions))
        self.positions = {place: self.committed[place] for place in sorted(places)}
        self.core.assign(self.positions)
        self.failures.clear()
        self.is_stale = self.in_hand is not None

    @rule(seconds=st.sampled_from([0.01, 0.3, 6.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.in_hand is None)
    @rule()
    def ask(self) -> None:
        step = self.core.next_step(self.now)
        if isinstance(step, Wait):
            assert step.until is None or step.until > self.now
            return
        self.in_hand, self.is_stale = step, False
        for entry in step.entries if isinstance(step, Apply) else [step.entry]:
            earlier = self.log[entry.place][self.committed[entry.place] : entry.message.offset]
            batch = [one.message for one in step.entries] if isinstance(step, Apply) else []
            waits = [
                m for m in earlier if m.key == entry.message.key and not self._is_done(m) and m not in batch
            ]
            assert not waits, "a message before another of its key"
        if isinstance(step, SetAside):
            counts = self.failures[step.entry.place, step.entry.message.offset]
            assert len(counts) + 1 >= LIMITS.suspect_attempts_max
            lone = min(LIMITS.lone_attempts_max, LIMITS.unproven_attempts_max)
            has_proof = self.successes > counts[0] or len(counts) + 1 >= lone
            assert has_proof, "about to be set aside without proof"

    @precondition(lambda self: isinstance(self.in_hand, Apply))
    @rule(
        kind=st.sampled_from([None, None, FailureKind.SUSPECT, FailureKind.STORE, FailureKind.BUSY]),
        keys_in_use=st.sampled_from(["", "", "a", "ab"]),
        has_effect=st.booleans(),
    )
    def outcome(self, kind: FailureKind | None, keys_in_use: str, *, has_effect: bool) -> None:
        step, self.in_hand = self.in_hand, None
        assert isinstance(step, Apply)
        if kind is None:
            in_use = [m for m in step.messages if m.key.decode() in keys_in_use]
            done = [m for m in step.messages if m not in in_use]
            effects = len(done) * has_effect
            self.successes += effects
            self._finish(done)
            self.core.applied(step, effects=effects, in_use=in_use, now=self.now)
        else:
            if len(step.entries) == 1 and kind is FailureKind.SUSPECT and not self.is_stale:
                one = step.messages[0]
                self.failures.setdefault(((one.topic, one.partition), one.offset), []).append(self.successes)
            named = [m for m in step.messages if kind is FailureKind.BUSY and m.key.decode() in keys_in_use]
            self.core.failed(step, kind, "failed", self.now, in_use=named)

    @precondition(lambda self: isinstance(self.in_hand, SetAside))
    @rule(kept=st.sampled_from([True, False, None]))
    def verdict(self, *, kept: bool | None) -> None:
        step, self.in_hand = self.in_hand, None
        assert isinstance(step, SetAside)
        if kept is None:
            self.core.failed(step, FailureKind.STORE, "away", self.now)
            return
        if kept:
            self._finish([step.entry.message])
        self.core.set_aside(step, FailureKind.SUSPECT, kept=kept, now=self.now)

    @invariant()
    def offsets_never_pass_an_undone_message(self) -> None:
        offsets = dict(self.core.to_commit())
        for place, offset in offsets.items():
            assert place in self.positions, "an offset of a partition that is not ours"
            assert all(self._is_done(one) for one in self.log[place][:offset])
            self.committed[place] = offset
        self.core.committed(offsets)

    def teardown(self) -> None:
        """Nothing fails any more: all is done, and nothing is left in memory."""
        if self.in_hand is not None:
            self.core.revoke(PLACES)
            self.in_hand = None
        self.rebalance(set(PLACES))
        self.fetch()
        for _ in range(500):
            step = self.core.next_step(self.now)
            if isinstance(step, Wait):
                if step.until is None:
                    break
                self.now = step.until
            elif isinstance(step, SetAside):
                self._finish([step.entry.message])
                self.core.set_aside(step, FailureKind.SUSPECT, kept=True, now=self.now)
            else:
                self._finish(step.messages)
                self.core.applied(step, effects=len(step.entries), no_room=[], now=self.now)
        self.offsets_never_pass_an_undone_message()
        assert self.committed == {place: len(log) for place, log in self.log.items()}
        assert not any(map(len, self.core._queues.values()))

    def _finish(self, messages: list[Message]) -> None:
        self.done.update(((one.topic, one.partition), one.offset) for one in messages)

    def _is_done(self, one: Message) -> bool:
        return ((one.topic, one.partition), one.offset) in self.done


ConsumingModel.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestConsumingModel = ConsumingModel.TestCase
