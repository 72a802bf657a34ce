"""A fake database: transactions wait for locks of others, fail, and lose their answers."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import asyncpg

from chassis.consuming.limits import LOCK_MILLISECONDS_MAX
from chassis.dead_letters.placement import Placement, compute_placement, record_identity
from chassis.messaging.message import KeysInUseError, Message

Io = Callable[[], Awaitable[None]]
IDLE_SECONDS_MAX = 2.0
"""The server ends a transaction that is idle for longer."""
LATENCY_SECONDS_MAX = 0.1
REFUSALS = ("42501", "42P01", "23505", "25006", "28P01")
"""Rights, schema, a sequence that is behind, read-only, login: SQLSTATEs of a failing database."""


@dataclass(eq=False)
class Letter:
    message: Message
    status: str = "waiting"
    is_cause: bool = False
    """The message itself failed; it is not only stored behind another."""
    looked_at: float = field(default_factory=lambda: time.monotonic())  # noqa: PLW0108 - this world's clock
    """When its inbox row was looked up: effects of earlier transactions must have been seen."""


class Store:
    def __init__(self, rng: Random, say: Callable[[str], None]) -> None:
        self.rng, self.say = rng, say
        self.inbox: dict[bytes, float] = {}
        """Event ids, and when they were applied."""
        self.effects: list[Message] = []
        self.letters: list[Letter] = []
        self.needless: list[Letter] = []
        """Stored although applied before, or beyond the limit of a key, or without a failed attempt."""
        self.locks: dict[tuple[str, bytes], Transaction] = {}
        self.rows_max, self.lines_max = rng.choice([(1_000, 1_000), (3, 2)])
        self.mishap_share = rng.choice([0.0, 0.01, 0.05])
        self.poison: dict[bytes, Exception] = {}
        """Event ids of messages that cannot be applied before the code is repaired, and their errors."""
        self.windows: list[tuple[str, float, float]] = []
        """Names of other failures, each with start and end."""

    def is_failing(self, what: str) -> bool:
        return any(what == name and begins <= time.monotonic() < ends for name, begins, ends in self.windows)

    def waiting(self, key: bytes | None = None) -> list[Letter]:
        return [e for e in self.letters if e.status == "waiting" and key in (None, e.message.key)]

    def raise_if_active(self, what: str, error: Exception | None = None) -> None:
        """Raise the error, or a refusal of the database, if this failure is active now."""
        if self.is_failing(what):
            raise error or asyncpg.PostgresError.new({"C": self.rng.choice(REFUSALS), "M": "refused"})

    def mishap(self) -> bool:
        return self.rng.random() < self.mishap_share

    def latency(self) -> float:
        return self.rng.random() * LATENCY_SECONDS_MAX

    @asynccontextmanager
    async def transaction(self, who: str, io: Io) -> "AsyncGenerator[Transaction]":
        """As `chassis.postgres.Database.transaction`."""
        await io()  # a connection
        tx = Transaction(self, io)
        try:
            yield tx
            await tx.commit()
            self.say(f"{who} applied {ids(tx.effects)}, set aside {ids(e.message for e in tx.letters)}")
        except Exception as error:
            self.say(f"{who} failed: {error!r}")
            raise
        finally:
            self.locks = {name: holder for name, holder in self.locks.items() if holder is not tx}


class Transaction:
    """Reads committed data; its writes are invisible to others until COMMIT."""

    def __init__(self, store: Store, io: Io) -> None:
        self.store, self._io, self._lock_seconds_max = store, io, 1.0
        self.used_at = time.monotonic()
        self.effects, self.failed = list[Message](), list[Message]()
        self.letters, self.replayed = list[Letter](), list[Letter]()

    @asynccontextmanager
    async def transaction(self) -> "AsyncGenerator[None]":
        """Simulate a savepoint."""
        effects = [*self.effects]
        try:
            yield
        except Exception:
            self.effects = effects
            raise

    async def execute(self, _: str) -> None:
        """SET LOCAL lock_timeout."""
        self._lock_seconds_max = LOCK_MILLISECONDS_MAX / 1000

    async def statement(self) -> None:
        """Simulate a statement, which may fail."""
        await self._io()
        if self.is_over() or self.store.is_failing("outage"):
            raise asyncpg.ConnectionDoesNotExistError("connection lost")
        self.used_at = time.monotonic()
        if self.store.mishap():
            raise asyncpg.DeadlockDetectedError("deadlock detected")

    async def lock(self, what: str, keys: Iterable[bytes]) -> None:
        """Take all these locks, or wait for their holders."""
        names, began_at = {(what, key) for key in keys}, time.monotonic()
        await self.statement()
        while not all(map(self._is_free, names)):
            if time.monotonic() - began_at > self._lock_seconds_max:
                raise asyncpg.LockNotAvailableError("lock not available")
            await self.statement()
        self.store.locks |= dict.fromkeys(names, self)

    def try_lock(self, what: str, keys: Iterable[bytes]) -> set[bytes]:
        """Take the locks that no other transaction holds. Return their keys."""
        free = {key for key in keys if self._is_free((what, key))}
        self.store.locks |= {(what, key): self for key in free}
        return free

    def is_over(self) -> bool:
        return time.monotonic() - self.used_at > IDLE_SECONDS_MAX

    def _is_free(self, name: tuple[str, bytes]) -> bool:
        holder = self.store.locks.get(name, self)
        return holder is self or holder.is_over()

    def keep(self, letter: Letter) -> None:
        self.store.raise_if_active("no letters")
        self.letters.append(letter)
        if letter.is_cause and (letter.message in self.effects or letter.message not in self.failed):
            self.store.needless.append(letter)

    async def commit(self) -> None:
        await self.statement()
        store = self.store
        store.inbox |= {message.value: time.monotonic() for message in self.effects}
        store.effects += self.effects
        store.letters += self.letters
        store.needless += [e for e in self.letters if store.inbox.get(e.message.value, 1e9) < e.looked_at]
        store.needless += [e for e in self.letters if len(store.waiting(e.message.key)) > store.rows_max]
        for letter in self.replayed:
            letter.status = "replayed"
        if store.mishap():
            raise asyncpg.ConnectionDoesNotExistError("the answer to COMMIT is lost")


async def apply(tx: Transaction, messages: Sequence[Message]) -> int:
    """Apply a batch as a service does: inbox and effects. The value of a message is its event id."""
    store, poison = tx.store, tx.store.poison if tx.store.is_failing("poison") else {}
    await tx.lock("key", (message.key for message in messages))
    await tx.statement()
    fresh = {m.value: m for m in reversed(messages) if m.value not in store.inbox}
    if locked := [message for message in messages if message.key == b"k0"]:
        store.raise_if_active("row locked", KeysInUseError(locked, "row locked"))
        store.raise_if_active("row locked unseen", asyncpg.LockNotAvailableError("lock not available"))
        store.raise_if_active("sticking", asyncpg.QueryCanceledError("statement time-out"))
    for message in [m for m in messages if fresh.get(m.value) is m]:
        tx.effects.append(message)
        if store.is_failing("everything fails") or message.value in poison:
            tx.failed.append(message)
            raise poison.get(message.value, KeyError("everything"))
        store.raise_if_active("no effects")
    return len(tx.effects)  # a duplicate proves nothing about the handlers


async def partition_batch(tx: Transaction, messages: Sequence[Message]) -> Placement:
    """Split a batch as `chassis.dead_letters` does: messages behind waiting ones of their key are stored."""
    store = tx.store
    await tx.statement()
    if not store.letters:
        return Placement(free=[*messages])
    locked = tx.try_lock("line", {message.key for message in messages if store.waiting(message.key)})
    await tx.statement()
    lines = {(e.message.topic, e.message.key) for e in store.waiting()}
    placement = compute_placement(
        messages,
        stored={record_identity(letter.message) for letter in store.letters},
        room={(topic, key): store.rows_max - len(store.waiting(key)) for topic, key in lines},
        is_processed=lambda message: message.value in store.inbox,
        in_use={(topic, key) for topic, key in lines if key not in locked},
    )
    for message in placement.behind:
        tx.keep(Letter(message))
    return placement


async def lock(tx: Transaction, message: Message) -> None:
    await tx.lock("line", [message.key])


async def set_aside(tx: Transaction, message: Message, **_: object) -> bool:
    """Set a message aside as `chassis.dead_letters` does: False without room, True if applied meanwhile."""
    store = tx.store
    await tx.statement()
    kept = record_identity(message) in {record_identity(letter.message) for letter in store.letters}
    if kept or message.value in store.inbox:
        return True
    others = {letter.message.key for letter in store.waiting()} - {message.key}
    has_room = len(store.waiting(message.key)) < store.rows_max and len(others) < store.lines_max
    if has_room:
        tx.keep(Letter(message, is_cause=True))
    return has_room


async def replay_first(tx: Transaction, key: bytes) -> bool:
    """Apply the first waiting message of a key. Return False if none waits."""
    await tx.lock("line", [key])
    await tx.statement()
    for letter in tx.store.waiting(key)[:1]:
        await apply(tx, [letter.message])
        tx.replayed.append(letter)
    return bool(tx.replayed)


def ids(messages: Iterable[Message]) -> list[bytes]:
    return [message.value for message in messages]
