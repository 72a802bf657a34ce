"""Consuming as a pure state machine: *state + outcome → next step*. No clock, no I/O (design rule 6).

The shell asks for a step, takes it, and tells the outcome. Time comes in as an argument.

* **Batch, then narrow.** A batch is applied in one transaction. If it fails, its halves are tried until the
  one message is found: that costs a few transactions, not one a message.
* **Held.** A message that fails alone is held: the later ones of its key wait behind it, all others flow
  while it is tried again.
* **Store.** What the database does as a whole is waited for, and never counted against a message.
* **Busy.** A message whose row or key another session has locked is put off, with its key and nobody else.
* **Set aside.** Only what cannot be decoded, and what failed by itself while others were applied, and only by
  an attempt that fails just then, in the transaction that sets it aside.
* **Breaker.** When message after message fails, nothing is set aside and nothing is tried but a probe now and
  then, each time another message where there is one, until one succeeds.
* **Epochs.** A step's outcome counts for a message only while its partition is assigned as it was then.
* **Contiguous commit.** An offset passes when every message before it is done.
* **Back-pressure.** A partition is paused when its share of memory is used, and resumed at half of it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf

from chassis.consuming.blame import is_to_blame
from chassis.consuming.breaker import Breaker
from chassis.consuming.limits import STORE_PROBE_SECONDS_MAX, Limits, back_off_seconds, in_use_seconds
from chassis.consuming.partition_queue import Entry, PartitionQueue, Place, Standing
from chassis.consuming.steps import Apply, Flow, SetAside, Step, Wait
from chassis.messaging.failures import FailureKind
from chassis.messaging.message import Message

RESUME_SHARE_MAX = 0.5
"""A paused partition is resumed when no more of its share is in use: not at once, or it would flutter."""


KEY_IN_USE = "another session works on the dead letters of its key"


class Core:
    """The state of one group member.

    Args:
        limits: of everything it holds and does.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._queues: dict[Place, PartitionQueue] = {}
        self._epoch = 0
        self._breaker = Breaker(self._limits)
        # One of these is known to fail.
        self._narrow: list[Entry] = []
        self._held: list[Entry] = []
        self._batch_messages_max = self._limits.batch_messages_max
        # A message that waits for the store or for another session has just been tried again.
        self._is_others_turn = False
        self._setbacks = 0  # failures of the store in a row
        self._not_before = 0.0
        self._is_unproven_used = False  # a message was set aside without proof since the last success
        self._error = ""

    # --- what Kafka does ---------------------------------------------------------------------

    def assign(self, places: Iterable[Place]) -> None:
        """These partitions are ours from now on, under a new epoch."""
        self._epoch += 1
        for place in places:
            self._drop(place)
            self._queues[place] = PartitionQueue(self._epoch)

    def revoke(self, places: Iterable[Place]) -> None:
        """These partitions are no longer ours: what is in memory of them is forgotten."""
        for place in places:
            self._drop(place)
        if not self._queues:  # what kept failing was theirs: their next owner tells
            self._setbacks, self._not_before = 0, 0.0

    def receive(self, place: Place, messages: Sequence[Message]) -> None:
        """Messages in order of their offsets; those of a partition that is not ours are left to its owner."""
        queue = self._queues.get(place)
        if queue is not None:
            queue.receive(place, messages)

    def note_read(self, place: Place, offset: int) -> bool:
        """Note that every record before this offset was received. Return whether that moved a position."""
        queue = self._queues.get(place)
        return queue is not None and queue.note_read(offset)

    def flow(self) -> Flow:
        """Return which partitions are to pause, and which may send again, since this was last asked."""
        share_bytes = self._limits.buffer_bytes_max // max(1, len(self._queues))
        pause: list[Place] = []
        resume: list[Place] = []
        for place, queue in self._queues.items():
            used = max(len(queue) / self._limits.partition_messages_max, queue.size_bytes / share_bytes)
            if not queue.paused and used >= 1:
                queue.paused = True
                pause.append(place)
            elif queue.paused and used <= RESUME_SHARE_MAX:
                queue.paused = False
                resume.append(place)
        return Flow(pause, resume)

    def to_commit(self) -> Mapping[Place, int]:
        """Offsets that have moved since they were last committed: the next one to be read, per partition."""
        return {
            place: queue.position
            for place, queue in self._queues.items()
            if queue.position is not None and queue.position != queue.committed
        }

    def committed(self, offsets: Mapping[Place, int]) -> None:
        """Kafka has these."""
        for place, offset in offsets.items():
            if place in self._queues:
                self._queues[place].committed = offset

    # --- what to do --------------------------------------------------------------------------

    def next_step(self, now: float) -> Step:
        """Return what to do at this time (monotonic, in seconds)."""
        if now < self._not_before:
            return Wait(self._not_before)
        for entry in self._held:
            if entry.kind is FailureKind.MALFORMED and entry.retry_at <= now and self._is_open_to(entry, now):
                return SetAside(entry)
        if self._breaker.is_open:
            return self._probe(now)
        if self._narrow:
            return Apply(self._narrow[: max(1, len(self._narrow) // 2)])
        held = self._longest_held(now)
        due = self._attempt(held) if held is not None and held.retry_at <= now else None
        if held is not None and due is not None and not self._is_others_turn:
            # Many that wait must not keep out what can be applied.
            self._is_others_turn = held.kind in (FailureKind.BUSY, FailureKind.STORE)
            return due
        self._is_others_turn = False
        batch = self._batch(now)
        return Apply(batch) if batch else due or Wait(self._next_time(now))

    def backlog(self) -> Mapping[Place, tuple[int | None, float | None]]:
        """Of each partition the first offset that is not done, and when the oldest in memory was sent."""
        return {place: queue.first_undone() for place, queue in self._queues.items()}

    def trouble(self, now: float) -> str:
        """Return in a line what keeps this consumer from its work; empty when nothing does."""
        if self._breaker.is_open and self._queues:
            return f"stopped by its breaker, probing: {self._error}"
        halted = [f"{topic}/{number}" for (topic, number), q in self._queues.items() if q.halted_until > now]
        if halted:
            return f"no room for more dead letters, paused: {', '.join(sorted(halted))}"
        if self._setbacks:
            return self._error
        tries_max = self._limits.lone_attempts_max
        return next((e.error for e in self._held if e.is_unkept or e.attempts > tries_max), "")

    def in_use(self, now: float, *, seconds_min: float) -> list[Entry]:
        """Return the messages that have waited so long for another session, the longest first."""
        waiting = [e for e in self._held if e.in_use and now - e.in_use_since >= seconds_min]
        return sorted(waiting, key=lambda entry: entry.in_use_since)

    # --- what came of it ---------------------------------------------------------------------

    def applied(
        self,
        step: Apply,
        *,
        effects: int,
        no_room: Collection[Message] = (),
        in_use: Collection[Message] = (),
        now: float,
    ) -> None:
        """A batch is committed in the database; or the attempt of one that else would have been set aside.

        Args:
            step: what was applied.
            effects: so many had one. A duplicate, or what is kept behind another, proves nothing.
            no_room: those neither applied nor kept: there is no room behind their line.
            in_use: those neither applied nor kept: somebody else works on their line.
            now: monotonic, in seconds.
        """
        self._setbacks, self._not_before = 0, 0.0
        self._batch_messages_max = min(self._batch_messages_max * 2, self._limits.batch_messages_max)
        left, later = {id(message) for message in no_room}, {id(message) for message in in_use}
        passed = len(step.entries) - len(left) - len(later)
        if effects:
            self._succeeded(effects)
        self._breaker.passed(max(0, passed - effects))
        for entry in self._held:
            if entry.failures:
                entry.others_applied |= effects > 0
                entry.others_passed |= passed > 0
        if later:
            self._breaker.probe_failed(now)
        for entry in step.entries:
            if id(entry.message) in left:
                self._halt(entry, now)
            elif id(entry.message) in later:
                self._put_off(entry, KEY_IN_USE, now)
            else:
                self._settle(entry)
        self._narrow = [] if left else [e for e in self._narrow if e.standing is Standing.QUEUED]

    def failed(
        self,
        step: Apply | SetAside,
        kind: FailureKind,
        error: str,
        now: float,
        *,
        in_use: Collection[Message] = (),
    ) -> None:
        """A step was rolled back.

        Args:
            step: which one.
            kind: of the error.
            error: in a line.
            now: monotonic, in seconds.
            in_use: of a failure of kind BUSY, the messages whose rows are locked; empty where nobody knows.
        """
        if kind is FailureKind.BUSY:
            self._met_lock(step.entries, in_use, error, now)
            return
        self._error = error
        current = [entry for entry in step.entries if self._is_current(entry)]
        if isinstance(step, SetAside):
            self._not_set_aside(step.entry, error, now)
        elif len(step.entries) > 1:
            if kind is not FailureKind.STORE or not self._waits_for_store(now):
                self._narrow_down(current)
        elif current:
            self._failed_alone(current[0], kind, error, now)

    def set_aside(self, step: SetAside, kind: FailureKind, *, kept: bool, now: float) -> None:
        """The message failed once more and was set aside; or it was not, because there is no room for it."""
        self._setbacks, self._not_before = 0, 0.0
        if not kept:
            self._halt(step.entry, now)
            return
        self._is_unproven_used |= kind is FailureKind.SUSPECT and not step.entry.others_applied
        self._settle(step.entry)

    # --- choosing ----------------------------------------------------------------------------

    def _batch(self, now: float) -> list[Entry]:
        """As many messages as one transaction takes, a partition's in order."""
        entries: list[Entry] = []
        size_bytes = 0
        for place in self._in_turn(now):
            for entry in self._queues[place].candidates():
                size_bytes += entry.message.size_bytes
                if entries and size_bytes > self._limits.batch_bytes_max:
                    return entries
                entries.append(entry)
                if len(entries) >= self._batch_messages_max:
                    return entries
        return entries

    def _in_turn(self, now: float) -> list[Place]:
        """Partitions that are not halted; the one that begins is the last the next time."""
        places = [place for place, queue in self._queues.items() if queue.halted_until <= now and len(queue)]
        if places:
            self._queues[places[0]] = self._queues.pop(places[0])
        return places

    def _probe(self, now: float) -> Step:
        """One message: a new one where there is one, else the held one that was tried longest ago."""
        if now < self._breaker.probe_at:
            return Wait(self._breaker.probe_at)
        for place in self._in_turn(now):
            for entry in self._queues[place].candidates():
                return Apply([entry])
        held = self._longest_held(now)
        return Wait(self._next_time(now)) if held is None else Apply([held])

    def _longest_held(self, now: float) -> Entry | None:
        """Of the held messages the one to be tried next."""
        ready = (entry for entry in self._held if self._is_open_to(entry, now))
        return min(ready, key=lambda entry: entry.retry_at, default=None)

    def _next_time(self, now: float) -> float | None:
        """When there will be something to do by itself."""
        times = [entry.retry_at for entry in self._held if self._is_open_to(entry, now)]
        times += [queue.halted_until for queue in self._queues.values() if queue.halted_until > now]
        return min(times, default=None)

    # --- failures ----------------------------------------------------------------------------

    def _failed_alone(self, entry: Entry, kind: FailureKind, error: str, now: float) -> None:
        is_first_met = entry.standing is Standing.QUEUED and not self._breaker.is_open
        if kind is FailureKind.STORE and is_first_met and self._waits_for_store(now):
            return
        entry.attempts += 1
        entry.failures += kind.may_set_aside
        entry.kind, entry.error, entry.in_use, entry.is_unkept = kind, error, 0, False
        self._hold(entry)
        entry.retry_at = now if kind is FailureKind.MALFORMED else now + back_off_seconds(entry.attempts)
        if self._breaker.is_open:
            limit = STORE_PROBE_SECONDS_MAX if kind is FailureKind.STORE else inf
            self._breaker.probe_failed(now, seconds_max=limit)
        elif entry.attempts == 1:
            self._breaker.failed(now, in_row=kind is not FailureKind.MALFORMED)

    def _waits_for_store(self, now: float) -> bool:
        """Wait for the store as a whole, the first few times; then it may be one message that it refuses."""
        self._setbacks += 1
        if self._setbacks >= self._limits.store_attempts_max:
            return False
        self._not_before = now + back_off_seconds(self._setbacks)
        return True

    def _narrow_down(self, entries: list[Entry]) -> None:
        self._narrow = entries
        self._batch_messages_max = max(1, len(entries) // 2)

    def _met_lock(self, entries: Sequence[Entry], in_use: Collection[Message], what: str, now: float) -> None:
        locked = {id(message) for message in in_use}
        named = [entry for entry in entries if id(entry.message) in locked]
        if not named and len(entries) > 1:
            self._narrow_down([entry for entry in entries if self._is_current(entry)])
            return
        for entry in named or entries:
            self._put_off(entry, what, now)
        self._breaker.probe_failed(now)

    def _put_off(self, entry: Entry, what: str, now: float) -> None:
        """Try again soon, alone; the later ones of its key wait for it, the others do not."""
        if not self._is_current(entry):
            return
        if entry.standing is Standing.QUEUED:
            if any(e.place == entry.place and e.message.key == entry.message.key for e in self._held):
                return  # an earlier one of its key has just been put off: it waits behind that one
            self._hold(entry)
        if not entry.in_use:
            entry.in_use_since = now
        entry.in_use += 1
        entry.kind, entry.error = FailureKind.BUSY, what
        entry.retry_at = now + in_use_seconds(entry.in_use)

    def _not_set_aside(self, entry: Entry, error: str, now: float) -> None:
        """What is not kept does not pass. Other keys go on meanwhile."""
        entry.error, entry.is_unkept = f"cannot set a message aside: {error}", True
        entry.retry_at = now + self._limits.halt_seconds

    def _attempt(self, entry: Entry) -> Apply | SetAside:
        """Return the next attempt of a held message: the last one, if it is to blame should it fail again."""
        is_alone = not self._is_unproven_used and self._is_alone()
        return SetAside(entry) if is_to_blame(entry, self._limits, is_alone=is_alone) else Apply([entry])

    def _is_alone(self) -> bool:
        """Whether there is no other message to compare the held one with."""
        return len(self._held) == 1 and not any(True for q in self._queues.values() for _ in q.candidates())

    # --- what becomes of a message -----------------------------------------------------------

    def _succeeded(self, effects: int) -> None:
        self._is_unproven_used = False
        if self._breaker.is_open:  # what waited for the store goes with the batches again
            for entry in [e for e in self._held if e.kind is FailureKind.STORE]:
                self._queues[entry.place].release(entry)
                entry.attempts = 0
            self._held = [entry for entry in self._held if entry.standing is Standing.HELD]
        self._breaker.succeeded(effects)

    def _hold(self, entry: Entry) -> None:
        self._narrow = []
        if entry.standing is Standing.QUEUED:
            self._queues[entry.place].hold(entry)
            self._held.append(entry)

    def _halt(self, entry: Entry, now: float) -> None:
        """Its partition pauses: there is no room to keep what cannot be applied."""
        if self._is_current(entry):
            self._queues[entry.place].halted_until = now + self._limits.halt_seconds

    def _settle(self, entry: Entry) -> None:
        if self._is_current(entry):
            self._queues[entry.place].settle(entry)
            self._held = [other for other in self._held if other is not entry]

    def _drop(self, place: Place) -> None:
        if self._queues.pop(place, None) is not None:
            self._narrow = []
            self._held = [entry for entry in self._held if entry.place != place]

    def _is_current(self, entry: Entry) -> bool:
        queue = self._queues.get(entry.place)
        return queue is not None and queue.epoch == entry.epoch and entry.standing is not Standing.DONE

    def _is_open_to(self, entry: Entry, now: float) -> bool:
        return self._queues[entry.place].halted_until <= now
