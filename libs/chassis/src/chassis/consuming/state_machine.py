"""Decide the next step of a consumer: *state + outcome → next step*. Pure: no clock, no I/O (design rule 6).

The consumer asks for a step, takes it, and records the outcome. Times are arguments.

What happens to a message that fails:

1. **Batch, then bisect.** A batch is applied in one transaction. If it fails, halves of it are tried until
one
   message fails alone. That costs a few transactions, not one per message.
2. **Blocked.** A message that fails alone blocks its key: later messages of the key wait, all other keys
   continue. The message is tried again, with growing pauses.
3. **Set aside.** When other messages were applied since its first failure (`blame`), or at once if it cannot
   be decoded, it gets a *last attempt*. If that fails too, the same transaction stores it as a dead letter.

No message is set aside for:

* **Failures of the database.** The consumer waits for the database as a whole. No message is blamed.
* **Locks.** A message whose row or key another session has locked waits with its key, and is tried again
soon.
* **Failures of everything.** After many failures the breaker opens. Then single messages are tried as probes,
  each time another one if possible, until one succeeds.

An outcome counts only while the partition of the message is assigned under the same epoch (`partitions`).
"""

from collections.abc import Collection, Iterable, Sequence
from math import inf

from chassis.consuming.blame import is_to_blame
from chassis.consuming.blocked import BlockedMessages
from chassis.consuming.breaker import Breaker
from chassis.consuming.limits import STORE_PROBE_SECONDS_MAX, Limits, back_off_seconds, in_use_seconds
from chassis.consuming.partition_queue import Entry, EntryState, Partition
from chassis.consuming.partitions import AssignedPartitions
from chassis.consuming.steps import ApplyBatch, LastAttempt, Step, Wait
from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message

KEY_IN_USE = "another session works on the dead letters of its key"


class ConsumerStateMachine:
    """The state of one group member.

    Args:
        limits: of memory, batches and attempts.

    Attributes:
        partitions: the assigned partitions, with their messages and offsets.
        blocked: the messages that block their keys.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self.partitions = AssignedPartitions(self._limits)
        self.blocked = BlockedMessages(self.partitions)
        self._breaker = Breaker(self._limits)
        self._suspects: list[Entry] = []  # one of them is known to fail
        self._batch_messages_max = self._limits.batch_messages_max
        self._is_others_turn = False  # a message that waits for the database or a lock was tried just now
        self._store_failures = 0  # in a row
        self._paused_until = 0.0
        self._is_unproven_used = False  # a message was set aside without proof since the last success
        self._error = ""

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Add partitions to the assignment, under a new epoch."""
        added = list(partitions)
        self._drop(added)
        self.partitions.assign(added)

    def revoke(self, partitions: Iterable[Partition]) -> None:
        """Remove partitions from the assignment, and forget their messages."""
        self._drop(partitions)
        if not self.partitions:  # the next owner of the partitions finds out whether the database fails
            self._store_failures, self._paused_until = 0, 0.0

    def _drop(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            if self.partitions.drop(partition):
                self._suspects = []
                self.blocked.drop(partition)

    # --- the next step -----------------------------------------------------------------------

    def next_step(self, now: float) -> Step:
        """Return what to do at this time (monotonic, in seconds)."""
        if now < self._paused_until:
            return Wait(self._paused_until)
        malformed = self.blocked.malformed_due(now)
        if malformed is not None:
            return LastAttempt(malformed)
        if self._breaker.is_open:
            return self._probe(now)
        if self._suspects:
            return ApplyBatch(self._suspects[: max(1, len(self._suspects) // 2)])
        blocked = self.blocked.next_to_retry(now)
        due = self._attempt(blocked) if blocked is not None and blocked.retry_at <= now else None
        if blocked is not None and due is not None and not self._is_others_turn:
            # Many messages that wait must not keep out messages that can be applied.
            self._is_others_turn = blocked.kind in (FailureKind.BUSY, FailureKind.STORE)
            return due
        self._is_others_turn = False
        batch = self.partitions.next_batch(now, messages_max=self._batch_messages_max)
        return ApplyBatch(batch) if batch else due or Wait(self.blocked.next_retry_at(now))

    def _probe(self, now: float) -> Step:
        """Return one message: a queued one if there is one, else the blocked one that is due first."""
        if now < self._breaker.probe_at:
            return Wait(self._breaker.probe_at)
        if queued := self.partitions.next_batch(now, messages_max=1):
            return ApplyBatch(queued)
        blocked = self.blocked.next_to_retry(now)
        return Wait(self.blocked.next_retry_at(now)) if blocked is None else ApplyBatch([blocked])

    def _attempt(self, entry: Entry) -> ApplyBatch | LastAttempt:
        """Return the next attempt of a blocked message: the last one, if it is to blame for a failure."""
        has_others = len(self.blocked) > 1 or self.partitions.have_candidates()
        is_alone = not self._is_unproven_used and not has_others
        to_blame = is_to_blame(entry, self._limits, is_alone=is_alone)
        return LastAttempt(entry) if to_blame else ApplyBatch([entry])

    # --- readiness ---------------------------------------------------------------------------

    def problem(self, now: float) -> str:
        """Return in one line why messages cannot be applied; empty if they can."""
        if self._breaker.is_open and self.partitions:
            return f"stopped by its breaker, probing: {self._error}"
        halted = sorted(f"{topic}/{number}" for topic, number in self.partitions.halts(now))
        if halted:
            return f"no room for more dead letters, paused: {', '.join(halted)}"
        if self._store_failures:
            return self._error
        attempts_max = self._limits.lone_attempts_max
        return next((e.error for e in self.blocked if e.is_unkept or e.attempts > attempts_max), "")

    # --- outcomes ----------------------------------------------------------------------------

    def record_applied(
        self,
        step: ApplyBatch,
        *,
        effects: int,
        no_room: Collection[Message] = (),
        in_use: Collection[Message] = (),
        now: float,
    ) -> None:
        """Record that the transaction of a batch is committed.

        Args:
            step: the batch; or the message of a last attempt that succeeded.
            effects: how many messages had one. A duplicate, or a message stored behind another, proves
                nothing.
            no_room: neither applied nor stored: there is no room for a dead letter.
            in_use: neither applied nor stored: another session works on the dead letters of their keys.
            now: monotonic, in seconds.
        """
        self._store_failures, self._paused_until = 0, 0.0
        self._batch_messages_max = min(self._batch_messages_max * 2, self._limits.batch_messages_max)
        without_room, waiting = {id(message) for message in no_room}, {id(message) for message in in_use}
        passed = len(step.entries) - len(without_room) - len(waiting)
        if effects:
            self._record_success(effects)
        self._breaker.record_no_effect(max(0, passed - effects))
        for entry in self.blocked:
            if entry.failures:
                entry.others_applied |= effects > 0
                entry.others_passed |= passed > 0
        if waiting:
            self._breaker.record_probe_failure(now)
        for entry in step.entries:
            if id(entry.message) in without_room:
                self._halt(entry, now)
            elif id(entry.message) in waiting:
                self._wait_for_lock(entry, KEY_IN_USE, now)
            else:
                self._mark_done(entry)
        self._suspects = [] if without_room else [e for e in self._suspects if e.state is EntryState.QUEUED]

    def record_failed(
        self,
        step: ApplyBatch | LastAttempt,
        kind: FailureKind,
        error: str,
        now: float,
        *,
        in_use: Collection[Message] = (),
    ) -> None:
        """Record that the transaction of a step was rolled back.

        Args:
            step: the batch or last attempt.
            kind: of the error.
            error: in one line.
            now: monotonic, in seconds.
            in_use: for kind BUSY, the messages whose rows are locked; empty if not known.
        """
        if kind is FailureKind.BUSY:
            self._record_lock(step.entries, in_use, error, now)
            return
        self._error = error
        current = [entry for entry in step.entries if self.partitions.is_current(entry)]
        if isinstance(step, LastAttempt):
            # The message is not stored, so its offset must not be committed. Other keys continue.
            step.entry.error, step.entry.is_unkept = f"cannot set a message aside: {error}", True
            step.entry.retry_at = now + self._limits.halt_seconds
        elif len(step.entries) > 1:
            if kind is not FailureKind.STORE or not self._back_off(now):
                self._bisect(current)
        elif current:
            self._record_failed_alone(current[0], kind, error, now)

    def record_set_aside(self, step: LastAttempt, kind: FailureKind, *, kept: bool, now: float) -> None:
        """Record that a last attempt failed. The message was set aside, or there was no room (not `kept`)."""
        self._store_failures, self._paused_until = 0, 0.0
        if not kept:
            self._halt(step.entry, now)
            return
        self._is_unproven_used |= kind is FailureKind.SUSPECT and not step.entry.others_applied
        self._mark_done(step.entry)

    # --- failures ----------------------------------------------------------------------------

    def _record_failed_alone(self, entry: Entry, kind: FailureKind, error: str, now: float) -> None:
        is_first_failure = entry.state is EntryState.QUEUED and not self._breaker.is_open
        if kind is FailureKind.STORE and is_first_failure and self._back_off(now):
            return
        entry.attempts += 1
        entry.failures += kind.may_set_aside
        entry.kind, entry.error, entry.in_use_attempts, entry.is_unkept = kind, error, 0, False
        self._block(entry)
        entry.retry_at = now if kind is FailureKind.MALFORMED else now + back_off_seconds(entry.attempts)
        if self._breaker.is_open:
            seconds_max = STORE_PROBE_SECONDS_MAX if kind is FailureKind.STORE else inf
            self._breaker.record_probe_failure(now, seconds_max=seconds_max)
        elif entry.attempts == 1:
            self._breaker.record_failure(now, in_row=kind is not FailureKind.MALFORMED)

    def _back_off(self, now: float) -> bool:
        """Pause after a failure of the database. Return False after `store_attempts_max` failures in a row.

        Then one message may be the cause, and must be found, so that others can proceed.
        """
        self._store_failures += 1
        if self._store_failures >= self._limits.store_attempts_max:
            return False
        self._paused_until = now + back_off_seconds(self._store_failures)
        return True

    def _bisect(self, entries: list[Entry]) -> None:
        self._suspects = entries
        self._batch_messages_max = max(1, len(entries) // 2)

    def _record_lock(
        self, entries: Sequence[Entry], in_use: Collection[Message], error: str, now: float
    ) -> None:
        locked = {id(message) for message in in_use}
        waiting = [entry for entry in entries if id(entry.message) in locked]
        if not waiting and len(entries) > 1:
            self._bisect([entry for entry in entries if self.partitions.is_current(entry)])
            return
        for entry in waiting or entries:
            self._wait_for_lock(entry, error, now)
        self._breaker.record_probe_failure(now)

    def _wait_for_lock(self, entry: Entry, error: str, now: float) -> None:
        """Block the key of a message, and try the message again soon and alone."""
        if not self.partitions.is_current(entry):
            return
        if entry.state is EntryState.QUEUED:
            if self.blocked.has_key_of(entry):
                return  # an earlier message of its key met the lock first: this one waits behind it
            self._block(entry)
        if not entry.in_use_attempts:
            entry.in_use_since = now
        entry.in_use_attempts += 1
        entry.kind, entry.error = FailureKind.BUSY, error
        entry.retry_at = now + in_use_seconds(entry.in_use_attempts)

    # --- states of a message -----------------------------------------------------------------

    def _record_success(self, effects: int) -> None:
        self._is_unproven_used = False
        if self._breaker.is_open:  # the database works again: its failures go back to the batches
            self.blocked.release(FailureKind.STORE)
        self._breaker.record_success(effects)

    def _block(self, entry: Entry) -> None:
        self._suspects = []
        self.blocked.add(entry)

    def _halt(self, entry: Entry, now: float) -> None:
        if self.partitions.is_current(entry):
            self.partitions.halt(entry, now + self._limits.halt_seconds)

    def _mark_done(self, entry: Entry) -> None:
        if self.partitions.is_current(entry):
            self.partitions.queue_of(entry).mark_done(entry)
            self.blocked.discard(entry)
