"""One seed: a small world, what goes wrong in it, and what must hold at the end whatever went wrong."""

from collections.abc import Callable, Iterable
from random import Random

from chassis.consuming.limits import Limits
from chassis.errors import FailureKind
from chassis.messages import Message
from simulation import store as db
from simulation.kafka import Kafka
from simulation.member import Member
from simulation.relay import SHARDS, Relay
from simulation.scheduler import Process, Scheduler, Sleeps

TROUBLE_SECONDS = 12.0
"""Messages come and things go wrong for so long; then operators replay what waits."""
SETTLED_SECONDS_MAX = 120.0
"""By then everything is done, or the world is stuck."""


class BrokenPromiseError(AssertionError):
    """What must hold does not."""


class World:
    def __init__(self, seed: int, trace: Callable[[str], None] | None = None) -> None:
        self.rng = rng = Random(seed)
        self.scheduler = Scheduler(trace)
        self.weather = db.Weather(fixed_at=rng.uniform(2, TROUBLE_SECONDS))
        self.weather.mishap_share = rng.choice([0.0, 0.01, 0.05])
        self.kafka = Kafka(rng, partitions=rng.randint(1, 4))
        self.store = db.Store(self.scheduler, rng, self.weather)
        self.store.rows_max, self.store.lines_max = rng.choice([(1_000, 1_000), (3, 2)])
        self.discarded: set[bytes] = set()
        self.never: set[tuple[int, int]] = set()
        """Records that were discarded before they had an effect."""
        self._plan: list[tuple[float, Callable[[], None]]] = []
        self._plan_messages()
        self._plan_trouble()
        limits = self._limits()
        self.members = [
            Member(f"m{n}", self.scheduler, self.kafka, self.store, limits) for n in range(rng.randint(1, 3))
        ]
        owners: list[Relay | None] = [None] * SHARDS
        self.relays = [Relay(self.scheduler, self.kafka, self.store, owners) for _ in range(2)]
        for process in [
            Process(self._play),
            Process(self._operate),
            *(p.process for p in (*self.members, *self.relays)),
        ]:
            self.scheduler.start(process)

    def run(self) -> None:
        """Live until all is settled.

        Raises:
            BrokenPromiseError: something that must hold does not.
        """
        now = TROUBLE_SECONDS
        self.scheduler.run_until(now)
        while (left := self._unsettled()) and now < SETTLED_SECONDS_MAX:
            now += 1
            self.scheduler.run_until(now)
        self._must(not left, f"stuck: {left}")
        self._check()

    # --- what happens ------------------------------------------------------------------------

    def _limits(self) -> Limits:
        rng = self.rng
        everything_fails = any(name == "everything fails" for name, *_ in self.weather.windows)
        return Limits(
            batch_messages_max=rng.choice([1, 4, 16]),
            partition_messages_max=rng.choice([3, 8, 1_000]),
            buffer_bytes_max=rng.choice([6_000, 48_000_000]),
            lone_attempts_max=1_000 if everything_fails else 6,
            row_failures_max=rng.choice([3, 10]),
            window_messages=20,
            window_failures_min=10,
            halt_seconds=1.0,
        )

    def _plan_messages(self) -> None:
        rng = self.rng
        keys = [b"k%d" % number for number in range(rng.randint(1, 8))]
        poison_share = rng.choice([0.0, 0.0, 0.1, 0.3])
        for number in range(rng.randint(10, 40)):
            key, event_id, at = rng.choice(keys), b"e%d" % number, rng.uniform(0, TROUBLE_SECONDS - 2)
            if rng.random() < poison_share:
                self.weather.poison[event_id] = rng.choice([FailureKind.BUG, FailureKind.MALFORMED])
            for _ in range(rng.choice([1, 1, 1, 1, 2])):  # a lost acknowledgement makes a second copy
                self._plan.append((at, lambda key=key, event_id=event_id: self.kafka.produce(key, event_id)))
                at += rng.uniform(0, 2)

    def _plan_trouble(self) -> None:
        rng = self.rng
        for what in rng.choices(["outage", "sticking", "everything fails"], k=rng.choice([0, 0, 1])):
            begins = rng.uniform(0, TROUBLE_SECONDS - 4)
            self.weather.windows.append(
                (what, begins, begins + rng.uniform(0.1, 4 if what == "everything fails" else 8))
            )
        if rng.random() < 0.3:  # who is stopped now knows of poison that is none when it goes on
            self._plan.append((self.weather.fixed_at - rng.uniform(0, 0.3), self._stop))
        happenings = [
            self._rebalance,
            self._rewind,
            self._stop,
            self._kill,
            self._stop_relay,
            self._kill_relay,
        ]
        for strike in rng.choices(happenings, k=rng.randint(0, 5)):
            self._plan.append((rng.uniform(0, TROUBLE_SECONDS), strike))

    def _play(self) -> Sleeps:
        for at, happen in sorted(self._plan, key=lambda planned: planned[0]):
            yield at - self.scheduler.now
            self.scheduler.say("{}", getattr(happen, "__name__", happen))
            happen()

    def _rebalance(self) -> None:
        self.kafka.rebalance()

    def _rewind(self) -> None:
        """A group is set back by hand, so everything comes again."""
        partition = self.rng.randrange(len(self.kafka.committed))
        self.kafka.committed[partition] = self.rng.randint(0, self.kafka.committed[partition])
        self.kafka.rebalance()

    def _stop(self) -> None:
        """As SIGSTOP; mostly its partitions go to others before it goes on with what it had in hand."""
        member = self.rng.choice(self.members)
        member.process.stopped_until = self.scheduler.now + self.rng.uniform(0.2, 6)
        if self.rng.random() < 0.7:
            self.kafka.rebalance()

    def _kill(self) -> None:
        member = self.rng.choice(self.members)
        member.process.kill()
        self.kafka.rebalance()
        self.scheduler.start(member.process)

    def _stop_relay(self) -> None:
        self.rng.choice(self.relays).process.stopped_until = self.scheduler.now + self.rng.uniform(1, 8)

    def _kill_relay(self) -> None:
        self.scheduler.start(self.rng.choice(self.relays).process)

    def _operate(self) -> Sleeps:
        """Someone looks after the dead letters: replays a line, or discards a message."""
        while True:
            yield self.rng.uniform(0.5, 3)
            waiting = self.store.waiting()
            if not waiting:
                continue
            letter = self.rng.choice(waiting)
            if self.rng.random() < 0.1:
                self.scheduler.say("operator discards {}", letter.message.value)
                letter.status = "discarded"
                self.discarded.add(letter.message.value)
                if letter.message.value not in self.store.inbox:
                    self.never.add((letter.message.partition, letter.message.offset))
            else:
                yield from self._replay(letter.message.key)

    def _replay(self, key: bytes) -> Sleeps:
        goes_on = True
        while goes_on:
            tx = db.Transaction(self.store)
            try:
                goes_on = yield from db.replay_first(tx, key)
                tx.commit()
            except db.Failure as failure:
                self.scheduler.say("replay of {}: {}", key, failure)
                return
            finally:
                tx.end()

    # --- what must hold ----------------------------------------------------------------------

    def _unsettled(self) -> str:
        """What is not done yet, if anything."""
        ends = [len(log) for log in self.kafka.records]
        if self.kafka.committed != ends:
            return f"offsets {self.kafka.committed} of {ends}"
        if waiting := self.store.waiting():
            return f"dead letters {[letter.message.value for letter in waiting]}"
        if self.store.outbox:
            return f"outbox {list(self.store.outbox)}"
        return next((f"memory of {m.name}" for m in self.members if holds_anything(m)), "")

    def _check(self) -> None:
        effects = [message.value for message in self.store.effects]
        self._must(len(effects) == len(set(effects)), "an effect twice")
        arrived = {message.value for log in self.kafka.records for message in log}
        missing = arrived - set(effects) - self.discarded
        self._must(not missing, f"lost: {sorted(missing)}")
        applied = by_key(m for m in self.store.effects if m.value not in self.discarded)
        sent = by_key(m for log in self.kafka.records for m in log if m.value not in self.discarded)
        for key, order in sent.items():
            self._must(applied[key] == list(dict.fromkeys(order)), f"order of {key!r}: {applied[key]}")
        began = {e.message.key for e in self.store.letters if e.message.value in self.weather.poison}
        blameless = {e.message.value for e in self.store.letters if e.message.key not in began}
        self._must(not blameless, f"set aside without fault: {sorted(blameless)}")
        self._must(not self.store.needless, f"kept needlessly: {self.store.needless}")
        undone = [m.value for m in self.store.effects if (m.partition, m.offset) in self.never]
        self._must(not undone, f"applied although discarded: {undone}")
        published = by_key(self.kafka.published)
        for key, order in by_key(self.store.effects).items():
            last = list(dict.fromkeys(reversed(published.get(key, []))))[::-1]
            self._must(last == order, f"published of {key!r}: {published.get(key)}, not {order}")

    def _must(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise BrokenPromiseError(otherwise)


def by_key(messages: Iterable[Message]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for message in messages:
        found.setdefault(message.key, []).append(message.value)
    return found


def holds_anything(member: Member) -> bool:
    core = member.core
    return any(map(len, core._queues.values())) or bool(core._held or core._judged or core._narrow)
