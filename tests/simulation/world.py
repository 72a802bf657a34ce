"""One seed: a small world, its failures, and the promises that must hold at its end."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from unittest.mock import patch

from structlog.testing import capture_logs

from chassis.consuming.limits import Limits
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from simulation import store as db
from simulation.clock import new_loop
from simulation.kafka import Kafka, Member

TROUBLE_SECONDS = 12.0
"""Messages arrive and failures happen during this time. Then operators replay waiting messages."""
SETTLED_SECONDS_MAX = 120.0
"""By this time all messages must be done."""
LOCKS, REFUSALS = ["sticking", "row locked", "row locked unseen"], ["outage", "no effects", "no letters"]
DRAIN, DRAIN_SECONDS = "chassis.consuming.consumer.DRAIN_SECONDS_MAX", (20.0, 0.05)
"""The real limit, and one so short that a step in flight mostly takes longer."""


def run(seed: int, trace: Callable[[str], None] = lambda _: None) -> None:
    """Run a world until all messages are done.

    Raises:
        AssertionError: a promise was broken.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner, capture_logs() as logs:
        loop = runner.get_loop()
        world = World(Random(seed), lambda words: trace(f"{loop.time():8.3f}  {words}"))
        with patch.object(time, "monotonic", loop.time), patch(DRAIN, DRAIN_SECONDS[seed % 2]):
            runner.run(world.live())
        assert "loop failed" not in [line["event"] for line in logs], logs


class World:
    def __init__(self, rng: Random, say: Callable[[str], None]) -> None:
        self.rng, self.say = rng, say
        self.kafka = Kafka(rng, rng.randint(1, 4), say)
        self.store = db.Store(rng, say)
        self.discarded: set[bytes] = set()
        self.never: set[tuple[int, int]] = set()
        """Records that were discarded before they had an effect."""
        self._plan: list[tuple[float, str, Callable[[], None]]] = []
        self._plan_messages(rng)
        self._plan_trouble(rng)
        self._limits = self._draw_limits(rng)

    async def live(self) -> None:
        self.members = [self._begin(f"m{number}") for number in range(self.rng.randint(1, 3))]
        tasks = [*map(asyncio.create_task, (self.kafka.coordinate(), self._play(), self._operate()))]
        await asyncio.sleep(TROUBLE_SECONDS)
        while (left := self._unsettled()) and time.monotonic() < SETTLED_SECONDS_MAX:  # noqa: ASYNC110 - it sleeps virtually
            await asyncio.sleep(1)
        troubles = [left, *(error for task in tasks if task.done() and (error := task.exception()))]
        assert not any(troubles), f"stuck: {troubles}"
        self._check(self.store.effects, self.store.letters)

    # --- events ----------------------------------------------------------------------------

    def _draw_limits(self, rng: Random) -> Limits:
        return Limits(
            batch_messages_max=rng.choice([1, 4, 16]),
            partition_messages_max=rng.choice([3, 8, 1_000]),
            buffer_bytes_max=rng.choice([6_000, 48_000_000]),
            lone_attempts_max=1_000 if self.store.windows[-1][0] == "everything fails" else 6,
            row_failures_max=rng.choice([3, 10]),
            window_messages=20,
            window_failures_min=10,
            halt_seconds=1.0,
        )

    def _plan_messages(self, rng: Random) -> None:
        keys = [b"k%d" % number for number in range(rng.randint(1, 8))]
        poison_share = rng.choice([0.0, 0.0, 0.1, 0.3])
        for number in range(rng.randint(10, 40)):
            key, event_id, at = rng.choice(keys), b"e%d" % number, rng.uniform(0, TROUBLE_SECONDS - 2)
            if rng.random() < poison_share:
                self.store.poison[event_id] = rng.choice([KeyError, MalformedMessageError])(event_id)
            for _ in range(rng.choice([1, 1, 1, 1, 2])):  # a lost acknowledgement makes a second copy
                self._plan.append((at, f"{event_id} of {key}", partial(self.kafka.produce, key, event_id)))
                at += rng.uniform(0, 2)

    def _plan_trouble(self, rng: Random) -> None:
        mended_at = rng.uniform(2, TROUBLE_SECONDS)
        self.store.windows.append(("poison", 0, mended_at))
        for what in rng.choices([*LOCKS, *REFUSALS, "everything fails"], k=rng.choice([0, 1])):
            begins, seconds_max = rng.uniform(0, TROUBLE_SECONDS - 4), 4 if what == "everything fails" else 8
            self.store.windows.append((what, begins, begins + rng.uniform(0.1, seconds_max)))
        if rng.random() < 0.5:  # a member stopped now still believes in the poison when it continues
            self._plan.append((mended_at - rng.uniform(0, 0.3), "stop", self._stop))
        disturbances, at = [self.kafka.rebalance, self._rewind, self._stop, self._kill], 0.0
        for disturb in rng.choices(disturbances, k=rng.randint(0, 5)):
            at = rng.choice([rng.uniform(0, TROUBLE_SECONDS), at + 0.05])  # often during another
            self._plan.append((at, disturb.__name__, disturb))

    async def _play(self) -> None:
        for at, what, act in sorted(self._plan, key=lambda planned: planned[0]):
            await asyncio.sleep(at - time.monotonic())
            self.say(what)
            act()

    def _begin(self, name: str) -> Member:
        return Member(name, self.kafka, self.store, self._limits)

    def _rewind(self) -> None:
        """Set the group back by hand: messages come again."""
        partition = self.rng.randrange(len(self.kafka.committed))
        self.kafka.committed[partition] = self.rng.randint(0, self.kafka.committed[partition])
        self.kafka.rebalance()

    def _stop(self) -> None:
        """Simulate SIGSTOP. Mostly other members get the partitions before the member continues its step."""
        self.rng.choice(self.members).stopped_until = time.monotonic() + self.rng.expovariate(0.4)
        if self.rng.random() < 0.7:
            self.kafka.rebalance()

    def _kill(self) -> None:
        number = self.rng.randrange(len(self.members))
        self.members[number].kill()
        self.kafka.rebalance()
        self.members[number] = self._begin(f"m{number}")

    async def _operate(self) -> None:
        """Replay the dead letters of a key, or discard a message, as an operator does."""
        while True:
            await asyncio.sleep(self.rng.uniform(0.2, 2))
            if waiting := self.store.waiting():
                letter = self.rng.choice(waiting)
                await (self._discard if self.rng.random() < 0.1 else self._replay)(letter)

    async def _discard(self, letter: db.Letter) -> None:
        message = letter.message
        self.say(f"operator discards {message.value}")
        letter.status = "discarded"
        self.discarded.add(message.value)
        if message.value not in self.store.inbox:
            self.never.add((message.partition, message.offset))

    async def _replay(self, letter: db.Letter) -> None:
        goes_on, key, io = True, letter.message.key, lambda: asyncio.sleep(self.store.latency())
        with suppress(Exception):  # the store reports it; the messages still wait
            while goes_on:
                async with self.store.transaction(f"replay of {key}", io) as tx:
                    goes_on = await db.replay_first(tx, key)

    # --- promises ---------------------------------------------------------------------------

    def _unsettled(self) -> str:
        """Return what is not done yet; empty if everything is."""
        ends = [len(log) for log in self.kafka.records]
        if self.kafka.committed != ends:
            return f"offsets {self.kafka.committed} of {ends}"
        if waiting := self.store.waiting():
            return f"dead letters {db.ids(letter.message for letter in waiting)}"
        return next((f"memory of {member.name}" for member in self.members if member.holds_anything()), "")

    def _check(self, effects: Sequence[Message], letters: Sequence[db.Letter]) -> None:
        sent = [record for log in self.kafka.records for record in log]
        applied = db.ids(effects)
        assert len(applied) == len(set(applied)), "an effect twice"
        missing = {*db.ids(sent)} - {*applied} - self.discarded
        assert not missing, f"lost: {sorted(missing)}"
        actual, expected = self._by_key(effects), self._by_key(sent)
        assert actual == expected, f"order: {actual}, not {expected}"
        blameless = {e.message.value for e in letters if e.is_cause} - {*self.store.poison}
        assert not blameless, f"set aside without fault: {sorted(blameless)}"
        assert not self.store.needless, f"kept needlessly: {self.store.needless}"
        came_back = self.never.intersection((message.partition, message.offset) for message in effects)
        assert not came_back, f"applied although discarded: {came_back}"

    def _by_key(self, messages: Iterable[Message]) -> dict[bytes, list[bytes]]:
        """Return event ids by key in order of their first copies, without the discarded ones."""
        ids: dict[bytes, dict[bytes, None]] = {}
        for message in [message for message in messages if message.value not in self.discarded]:
            ids.setdefault(message.key, {})[message.value] = None
        return {key: list(order) for key, order in ids.items()}
