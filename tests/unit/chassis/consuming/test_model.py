"""The state machine compared with a simple model, for any order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.consuming.limits import Limits
from chassis.consuming.partition_queue import Partition
from chassis.consuming.state_machine import ConsumerStateMachine
from chassis.consuming.steps import ApplyBatch, LastAttempt, Wait
from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message
from unit.chassis.consuming.driver import message

PARTITIONS: list[Partition] = [("t", 0), ("t", 1)]
LIMITS = Limits(batch_messages_max=4, partition_messages_max=6, row_failures_max=3, window_failures_min=5)


class ConsumingModel(RuleBasedStateMachine):
    """The model: a log per partition, the messages that are done, and the assigned partitions."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = ConsumerStateMachine(LIMITS)
        self.now = 0.0
        self.log: dict[Partition, list[Message]] = {partition: [] for partition in PARTITIONS}
        self.committed = dict.fromkeys(PARTITIONS, 0)
        self.positions: dict[Partition, int] = {}
        self.done: set[tuple[Partition, int]] = set()
        self.failures: dict[tuple[Partition, int], list[int]] = {}
        self.successes = 0
        self.in_flight: ApplyBatch | LastAttempt | None = None
        self.is_stale = False

    @rule(partition=st.sampled_from(PARTITIONS), key=st.sampled_from("abc"))
    def produce(self, partition: Partition, key: str) -> None:
        self.log[partition].append(message(len(self.log[partition]), key, partition))

    @rule()
    def fetch(self) -> None:
        for partition, position in self.positions.items():
            self.machine.partitions.receive(partition, self.log[partition][position:])
            self.positions[partition] = len(self.log[partition])

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS)))
    def rebalance(self, partitions: set[Partition]) -> None:
        self.machine.revoke(list(self.positions))
        self.positions = {partition: self.committed[partition] for partition in sorted(partitions)}
        self.machine.assign(self.positions)
        self.failures.clear()
        self.is_stale = self.in_flight is not None

    @rule(seconds=st.sampled_from([0.01, 0.3, 6.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.in_flight is None)
    @rule()
    def ask(self) -> None:
        step = self.machine.next_step(self.now)
        if isinstance(step, Wait):
            assert step.until is None or step.until > self.now
            return
        self.in_flight, self.is_stale = step, False
        for entry in step.entries if isinstance(step, ApplyBatch) else [step.entry]:
            earlier = self.log[entry.partition][self.committed[entry.partition] : entry.message.offset]
            batch = [one.message for one in step.entries] if isinstance(step, ApplyBatch) else []
            waits = [
                m for m in earlier if m.key == entry.message.key and not self._is_done(m) and m not in batch
            ]
            assert not waits, "a message before an earlier one of its key"
        if isinstance(step, LastAttempt):
            counts = self.failures[step.entry.partition, step.entry.message.offset]
            assert len(counts) + 1 >= LIMITS.suspect_attempts_max
            lone = min(LIMITS.lone_attempts_max, LIMITS.unproven_attempts_max)
            has_proof = self.successes > counts[0] or len(counts) + 1 >= lone
            assert has_proof, "about to be set aside without proof"

    @precondition(lambda self: isinstance(self.in_flight, ApplyBatch))
    @rule(
        kind=st.sampled_from([None, None, FailureKind.SUSPECT, FailureKind.STORE, FailureKind.BUSY]),
        keys_in_use=st.sampled_from(["", "", "a", "ab"]),
        has_effect=st.booleans(),
    )
    def outcome(self, kind: FailureKind | None, keys_in_use: str, *, has_effect: bool) -> None:
        step, self.in_flight = self.in_flight, None
        assert isinstance(step, ApplyBatch)
        if kind is None:
            in_use = [m for m in step.messages if m.key.decode() in keys_in_use]
            done = [m for m in step.messages if m not in in_use]
            effects = len(done) * has_effect
            self.successes += effects
            self._finish(done)
            self.machine.record_applied(step, effects=effects, in_use=in_use, now=self.now)
        else:
            if len(step.entries) == 1 and kind is FailureKind.SUSPECT and not self.is_stale:
                one = step.messages[0]
                self.failures.setdefault(((one.topic, one.partition), one.offset), []).append(self.successes)
            locked = [m for m in step.messages if kind is FailureKind.BUSY and m.key.decode() in keys_in_use]
            self.machine.record_failed(step, kind, "failed", self.now, in_use=locked)

    @precondition(lambda self: isinstance(self.in_flight, LastAttempt))
    @rule(kept=st.sampled_from([True, False, None]))
    def last_attempt(self, *, kept: bool | None) -> None:
        step, self.in_flight = self.in_flight, None
        assert isinstance(step, LastAttempt)
        if kept is None:
            self.machine.record_failed(step, FailureKind.STORE, "away", self.now)
            return
        if kept:
            self._finish([step.entry.message])
        self.machine.record_set_aside(step, FailureKind.SUSPECT, kept=kept, now=self.now)

    @invariant()
    def offsets_never_pass_an_undone_message(self) -> None:
        offsets = dict(self.machine.partitions.offsets_to_commit())
        for partition, offset in offsets.items():
            assert partition in self.positions, "an offset of a partition that is not assigned"
            assert all(self._is_done(one) for one in self.log[partition][:offset])
            self.committed[partition] = offset
        self.machine.partitions.record_committed(offsets)

    def teardown(self) -> None:
        """Nothing fails any more: all messages get done, and no message stays in memory."""
        if self.in_flight is not None:
            self.machine.revoke(PARTITIONS)
            self.in_flight = None
        self.rebalance(set(PARTITIONS))
        self.fetch()
        for _ in range(500):
            step = self.machine.next_step(self.now)
            if isinstance(step, Wait):
                if step.until is None:
                    break
                self.now = step.until
            elif isinstance(step, LastAttempt):
                self._finish([step.entry.message])
                self.machine.record_set_aside(step, FailureKind.SUSPECT, kept=True, now=self.now)
            else:
                self._finish(step.messages)
                self.machine.record_applied(step, effects=len(step.entries), no_room=[], now=self.now)
        self.offsets_never_pass_an_undone_message()
        assert self.committed == {partition: len(log) for partition, log in self.log.items()}
        assert not any(map(len, self.machine.partitions._queues.values()))

    def _finish(self, messages: list[Message]) -> None:
        self.done.update(((one.topic, one.partition), one.offset) for one in messages)

    def _is_done(self, one: Message) -> bool:
        return ((one.topic, one.partition), one.offset) in self.done


ConsumingModel.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestConsumingModel = ConsumingModel.TestCase
