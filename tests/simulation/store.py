"""A fake database: transactions that wait for each other's locks, fail, and lose their answers."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from chassis.errors import FailureKind
from chassis.messages import Message
from simulation.scheduler import Scheduler

IDLE_SECONDS_MAX = 2.0
"""The server ends a transaction that says nothing for so long."""
LOCK_SECONDS_MAX = 1.0
LATENCY_SECONDS_MAX = 0.1


class Failure(Exception):  # noqa: N818 - it is the kind that counts
    def __init__(self, kind: FailureKind, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(eq=False)
class Letter:
    message: Message
    status: str = "waiting"


@dataclass
class Placement:
    free: list[Message] = field(default_factory=list)
    behind: list[Message] = field(default_factory=list)
    settled: list[Message] = field(default_factory=list)
    no_room: list[Message] = field(default_factory=list)
    in_use: list[Message] = field(default_factory=list)


@dataclass
class Weather:
    """What is wrong with the world: poisonous messages, and windows of time in which things fail."""

    poison: dict[bytes, FailureKind] = field(default_factory=dict)
    fixed_at: float = 0.0
    windows: list[tuple[str, float, float]] = field(default_factory=list)
    mishap_share: float = 0.0

    def has(self, what: str, now: float) -> bool:
        return any(what == name and begins <= now < ends for name, begins, ends in self.windows)


class Store:
    def __init__(self, scheduler: Scheduler, rng: Random, weather: Weather) -> None:
        self.scheduler, self.rng, self.weather = scheduler, rng, weather
        self.inbox: dict[bytes, float] = {}
        """Event ids, and when they were applied."""
        self.effects: list[Message] = []
        self.outbox: dict[int, Message] = {}
        self.letters: list[Letter] = []
        self.needless: list[Letter] = []
        """Kept although applied before, or beyond what a line takes."""
        self.locks: dict[tuple[str, bytes], Transaction] = {}
        self.lines_max, self.rows_max = 1_000, 1_000
        self._outbox_id = 0

    def waiting(self, key: bytes | None = None) -> list[Letter]:
        return [e for e in self.letters if e.status == "waiting" and key in (None, e.message.key)]

    def mishap(self) -> bool:
        return self.rng.random() < self.weather.mishap_share

    def next_outbox_id(self) -> int:
        self._outbox_id += 1
        return self._outbox_id


Work = Generator[float, None, None]


class Transaction:
    """Reads what is committed at the time, keeps its writes to itself until COMMIT."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.began_at = self.used_at = store.scheduler.now
        self.ended = False
        self.inbox: list[bytes] = []
        self.effects: list[Message] = []
        self.outbox: dict[int, Message] = {}
        self.letters: list[Letter] = []
        self.settled: list[tuple[Letter, str]] = []

    def statement(self) -> None:
        """The server is asked something: there may be no answer."""
        now = self.store.scheduler.now
        if self.ended or now - self.used_at > IDLE_SECONDS_MAX or self.store.weather.has("outage", now):
            self.end()
            raise Failure(FailureKind.TRANSIENT, "connection lost")
        self.used_at = now
        if self.store.mishap():
            raise Failure(FailureKind.TRANSIENT, "deadlock detected")

    def latency(self) -> float:
        return self.store.rng.random() * LATENCY_SECONDS_MAX

    def lock(self, what: str, keys: Iterable[bytes]) -> Work:
        """Take all these locks, or wait for who has them."""
        wanted = {(what, key) for key in keys}
        gives_up_at = self.store.scheduler.now + LOCK_SECONDS_MAX
        while any(self._is_taken(name) for name in wanted):
            if self.store.scheduler.now > gives_up_at:
                raise Failure(FailureKind.TRANSIENT, "lock not available")
            yield 0.05
            self.statement()
        self.store.locks.update(dict.fromkeys(wanted, self))

    def try_lock(self, what: str, keys: Iterable[bytes]) -> set[bytes]:
        """Take those of these locks that nobody else has."""
        free = {key for key in keys if not self._is_taken((what, key))}
        self.store.locks.update({(what, key): self for key in free})
        return free

    def _is_taken(self, name: tuple[str, bytes]) -> bool:
        holder = self.store.locks.get(name, self)
        if holder is not self and self.store.scheduler.now - holder.used_at > IDLE_SECONDS_MAX:
            holder.end()
        return holder is not self and not holder.ended

    def commit(self) -> None:
        self.statement()
        store = self.store
        store.inbox.update(dict.fromkeys(self.inbox, store.scheduler.now))
        store.effects += self.effects
        store.outbox.update(self.outbox)
        store.letters += self.letters
        for letter in self.letters:
            key = letter.message.key
            if (
                store.inbox.get(letter.message.value, store.scheduler.now) < self.began_at
                or len(store.waiting(key)) > store.rows_max
            ):
                store.needless.append(letter)
        for letter, status in self.settled:
            letter.status = status
        self.end()
        if store.mishap():
            raise Failure(FailureKind.TRANSIENT, "answer to COMMIT lost")

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            locks = self.store.locks
            for name in [name for name, holder in locks.items() if holder is self]:
                del locks[name]


def apply(tx: Transaction, messages: Sequence[Message]) -> Work:
    """What a service does with a batch: inbox, effects, outbox. The value of a message is its event id."""
    store, weather, now = tx.store, tx.store.weather, tx.store.scheduler.now
    is_fixed = now >= weather.fixed_at
    if not is_fixed and any(weather.poison.get(m.value) is FailureKind.MALFORMED for m in messages):
        raise Failure(FailureKind.MALFORMED, "cannot be decoded")
    yield from tx.lock("key", (message.key for message in messages))
    tx.statement()
    yield tx.latency()
    tx.statement()
    fresh = {m.value: m for m in reversed(messages) if m.value not in store.inbox}
    for message in [m for m in messages if fresh.get(m.value) is m]:
        if weather.has("sticking", now) and message.key == b"k0":
            raise Failure(FailureKind.TRANSIENT, "statement time-out")
        if weather.has("everything fails", now) or (not is_fixed and message.value in weather.poison):
            raise Failure(FailureKind.BUG, f"bug with {message.value!r}")
        tx.inbox.append(message.value)
        tx.effects.append(message)
        tx.outbox[store.next_outbox_id()] = message


def place(tx: Transaction, messages: Sequence[Message]) -> Generator[float, None, Placement]:
    """Where the messages of a batch belong, as `chassis.dead_letters.placement` decides it."""
    store, placement = tx.store, Placement()
    tx.statement()
    if not store.letters:
        placement.free += messages
        return placement
    keys = {message.key for message in messages}
    locked = tx.try_lock("line", {e.message.key for e in store.waiting() if e.message.key in keys})
    yield tx.latency()
    tx.statement()
    kept = {(letter.message.partition, letter.message.offset) for letter in store.letters}
    room = {k: store.rows_max - len(rows) for k in keys if (rows := store.waiting(k))}
    for message in messages:
        if (message.partition, message.offset) in kept:
            placement.settled.append(message)
        elif message.key not in room or message.value in store.inbox:
            placement.free.append(message)
        elif message.key not in locked:
            placement.in_use.append(message)
        elif room[message.key] > 0:
            room[message.key] -= 1
            placement.behind.append(message)
            tx.letters.append(Letter(message))
        else:
            placement.no_room.append(message)
    return placement


def set_aside(tx: Transaction, message: Message) -> Generator[float, None, bool]:
    """Keep a message; False if there is no room. One that was applied meanwhile is done."""
    store = tx.store
    yield from tx.lock("line", [message.key])
    tx.statement()
    kept = any(
        (e.message.partition, e.message.offset) == (message.partition, message.offset) for e in store.letters
    )
    if kept or message.value in store.inbox:
        return True
    lines = {letter.message.key for letter in store.waiting()}
    if len(store.waiting(message.key)) >= store.rows_max or len(lines | {message.key}) > store.lines_max:
        return False
    tx.letters.append(Letter(message))
    return True


def replay_first(tx: Transaction, key: bytes) -> Generator[float, None, bool]:
    """Apply the first message that waits in a line. False when none waits."""
    yield from tx.lock("line", [key])
    tx.statement()
    waiting = tx.store.waiting(key)
    if waiting:
        yield from apply(tx, [waiting[0].message])
        tx.settled.append((waiting[0], "replayed"))
    return bool(waiting)
