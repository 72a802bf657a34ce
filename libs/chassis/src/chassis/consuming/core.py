"""Consuming as a pure state machine: *state + outcome → next step*. No clock, no I/O (design rule 6).

The shell asks for a step, takes it, and tells the outcome. Time comes in as an argument.

* **Batch, then narrow.** A batch is applied in one transaction. If it fails for a reason that may lie in a
  message, its halves are tried until the one message is found: that costs a few transactions, not one a
  message.
* **Held, then judged.** A message that fails alone is held: the later ones of its key wait behind it, all
  others flow while it is tried again. It is set aside only when another message was applied between two of
  its failures, because only then the fault is its own; or, after minutes, when others at least passed. What
  cannot be decoded needs no such proof.
* **Breaker.** When message after message fails, nothing is set aside and nothing is tried but a probe now and
  then, each time another message where there is one, until one succeeds.
* **Epochs.** A step's outcome counts for a message only while its partition is assigned as it was then.
* **Contiguous commit.** An offset passes when every message before it is done.
* **Back-pressure.** A partition is paused when its share of memory is used, and resumed at half of it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from chassis.consuming.breaker import Breaker
from chassis.consuming.limits import IN_USE_SECONDS, Limits, back_off_seconds
from chassis.consuming.queues import Entry, PartitionQueue, Place, Standing
from chassis.consuming.steps import Apply, Flow, SetAside, Step, Wait
from chassis.errors import FailureKind
from chassis.messages import Message
from contracts.reasons import SetAsideReason

RESUME_SHARE_MAX = 0.5
"""A paused partition is resumed when no more of its share is in use: not at once, or it would flutter."""


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
        self._narrow: list[Entry] = []
        """One of these is known to fail."""
        self._held: list[Entry] = []
        self._judged: list[SetAside] = []
        self._batch_messages_max = self._limits.batch_messages_max
        self._is_others_turn = False
        """A message that was put off has just been tried again."""
        self._setbacks = 0
        """Failures in a row for passing reasons."""
        self._not_before = 0.0
        self._successes = 0
        self._passed = 0
        """Messages applied or passed over, with or without effect."""
        self._blamed_unproven = False
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
        """Which partitions are to pause, and which may send again, since this was last asked."""
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
        """What to do at this time (monotonic, in seconds)."""
        if now < self._not_before:
            return Wait(self._not_before)
        for verdict in self._judged:
            if verdict.entry.retry_at <= now and self._is_open_to(verdict.entry, now):
                return verdict
        if self._breaker.is_open:
            return self._probe(now)
        if self._narrow:
            return Apply(self._narrow[: max(1, len(self._narrow) // 2)])
        held = self._longest_held(now)
        due = Apply([held]) if held is not None and held.retry_at <= now else None
        if held is not None and due is not None and not self._is_others_turn:
            self._is_others_turn = not held.attempts  # many that are put off must not keep the others out
            return due
        self._is_others_turn = False
        batch = self._batch(now)
        return Apply(batch) if batch else due or Wait(self._next_time(now))

    def backlog(self) -> Mapping[Place, tuple[int | None, float | None]]:
        """Of each partition the first offset that is not done, and when the oldest in memory was sent."""
        return {place: queue.first_undone() for place, queue in self._queues.items()}

    def trouble(self, now: float) -> str:
        """What keeps this consumer from its work, in a line; empty when nothing does."""
        halted = [f"{topic}/{number}" for (topic, number), q in self._queues.items() if q.halted_until > now]
        if self._breaker.is_open and self._queues:
            return f"stopped by its breaker, probing: {self._error}"
        if halted:
            return f"no room for more dead letters, paused: {', '.join(sorted(halted))}"
        sticking = any(entry.attempts > self._limits.lone_attempts_max for entry in self._held)
        sticking |= any(verdict.entry.retry_at > now for verdict in self._judged)
        return self._error if self._setbacks or sticking else ""

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
        """A batch is committed in the database.

        Args:
            step: what was applied.
            effects: so many had one. A duplicate, or what is kept behind another, proves nothing.
            no_room: those neither applied nor kept: there is no room behind their line.
            in_use: those neither applied nor kept: somebody else works on their line.
            now: monotonic, in seconds.
        """
        self._setbacks, self._not_before = 0, 0.0
        self._batch_messages_max = min(self._batch_messages_max * 2, self._limits.batch_messages_max)
        if effects:
            self._successes += effects
            self._blamed_unproven = False
            self._breaker.succeeded(effects)
        left, later = {id(message) for message in no_room}, {id(message) for message in in_use}
        passed = len(step.entries) - len(left) - len(later)
        self._passed += passed
        self._breaker.passed(max(0, passed - effects))
        if later:
            self._breaker.probe_failed(now)
        for entry in step.entries:
            if id(entry.message) in left:
                self._halt(entry, now)
            elif id(entry.message) in later:
                self._put_off(entry, now)
            else:
                self._settle(entry)
        self._narrow = [] if left else [e for e in self._narrow if e.standing is Standing.QUEUED]

    def failed(self, step: Apply, kind: FailureKind, error: str, now: float) -> None:
        """A batch was rolled back."""
        self._error = error
        entries = [entry for entry in step.entries if self._is_current(entry)]
        if kind is FailureKind.TRANSIENT:
            self._set_back(entries, now)
        elif len(step.entries) > 1:
            self._narrow = entries
            self._batch_messages_max = max(1, len(step.entries) // 2)
        elif entries:
            self._failed_alone(entries[0], kind, error, now)

    def set_aside(self, step: SetAside, *, kept: bool, now: float) -> None:
        """A message was set aside; or it was not, because there is no room for it."""
        self._setbacks, self._not_before = 0, 0.0
        self._judged = [verdict for verdict in self._judged if verdict is not step]
        if kept:
            self._settle(step.entry)
        else:
            self._halt(step.entry, now)

    def not_set_aside(self, step: SetAside, error: str, now: float) -> None:
        """Setting aside failed: what is not kept does not pass. Other keys go on meanwhile."""
        self._error = f"cannot set a message aside: {error}"
        step.entry.retry_at = now + self._limits.halt_seconds

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
        ready = (entry for entry in self._held if self._is_open_to(entry, now) and not self._is_judged(entry))
        return min(ready, key=lambda entry: entry.retry_at, default=None)

    def _next_time(self, now: float) -> float | None:
        """When there will be something to do by itself."""
        times = [entry.retry_at for entry in self._held if self._is_open_to(entry, now)]
        times += [queue.halted_until for queue in self._queues.values() if queue.halted_until > now]
        return min(times, default=None)

    # --- judging -----------------------------------------------------------------------------

    def _set_back(self, entries: Sequence[Entry], now: float) -> None:
        """The reason passes by itself: later, with less at a time, and past the one that sticks."""
        self._setbacks += 1
        self._not_before = now + back_off_seconds(self._setbacks)
        sticks = self._setbacks >= self._limits.transient_attempts_max
        if sticks:
            self._batch_messages_max, self._narrow = max(1, len(entries) // 2), []
        if len(entries) == 1 and (sticks or entries[0].standing is Standing.HELD):
            entries[0].attempts += 1
            self._hold(entries[0], self._not_before)  # after the wait others come first

    def _failed_alone(self, entry: Entry, kind: FailureKind, error: str, now: float) -> None:
        entry.attempts += 1
        entry.failures += 1
        entry.error = error
        is_new = entry.successes_before is None
        if is_new:
            entry.successes_before, entry.passed_before = self._successes, self._passed
        self._hold(entry, now)
        if kind is FailureKind.MALFORMED:
            self._judge(entry, SetAsideReason.MALFORMED, now)
        elif not self._breaker.is_open and self._is_to_blame(entry):
            self._judge(entry, SetAsideReason.BUG, now)
        if self._breaker.is_open:
            self._breaker.probe_failed(now)
        elif is_new:
            self._breaker.failed(now, in_row=kind is not FailureKind.MALFORMED)

    def _judge(self, entry: Entry, reason: SetAsideReason, now: float) -> None:
        entry.retry_at = now
        self._judged.append(SetAside(entry, reason))

    def _is_to_blame(self, entry: Entry) -> bool:
        """Whether others succeed where this one fails."""
        if entry.failures < self._limits.bug_attempts_max:
            return False
        if entry.successes_before is not None and self._successes > entry.successes_before:
            return True
        # A weak proof, and late: where few messages have effects, a strong one may never come.
        if entry.failures >= self._limits.unproven_attempts_max and self._passed > entry.passed_before:
            return True
        return self._is_alone(entry)

    def _is_alone(self, entry: Entry) -> bool:
        """Whether there is no other to compare it with.

        Once between two successes it is then to blame, after a while; a second one looks like something
        that all of them need.
        """
        if self._blamed_unproven or entry.failures < self._limits.lone_attempts_max:
            return False
        others = len(self._held) > 1 or any(True for q in self._queues.values() for _ in q.candidates())
        self._blamed_unproven = not others
        return not others

    def _hold(self, entry: Entry, now: float) -> None:
        self._narrow = []
        entry.retry_at = now + back_off_seconds(entry.attempts)
        if entry.standing is Standing.QUEUED:
            self._queues[entry.place].hold(entry)
            self._held.append(entry)

    def _put_off(self, entry: Entry, now: float) -> None:
        """It is tried again soon, alone; the later ones of its key wait for it, the others do not."""
        key = entry.place, entry.message.key
        if self._is_current(entry) and key not in [(held.place, held.message.key) for held in self._held]:
            self._hold(entry, now)
        if entry.standing is Standing.HELD:
            entry.retry_at = now + IN_USE_SECONDS

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
            self._judged = [verdict for verdict in self._judged if verdict.entry.place != place]

    def _is_current(self, entry: Entry) -> bool:
        queue = self._queues.get(entry.place)
        return queue is not None and queue.epoch == entry.epoch and entry.standing is not Standing.DONE

    def _is_judged(self, entry: Entry) -> bool:
        return any(verdict.entry is entry for verdict in self._judged)

    def _is_open_to(self, entry: Entry, now: float) -> bool:
        return self._queues[entry.place].halted_until <= now
