"""Dead letters on the real database against a model of plain lists (ALL-1).

Messages arrive, arrive again and fail, topics are rewound and made anew, operators replay and discard, limits
are reached. In every order of these, each event has one fate, and the effects of a key keep its order.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from itertools import count
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chassis.dead_letters import DeadLetters, queries
from chassis.dead_letters.discard import discard
from chassis.dead_letters.history import DiscardedBy, ReplayedBy
from chassis.dead_letters.placement import RecordIdentity, record_identity
from chassis.dead_letters.queries import DeadLetter, Filter
from chassis.dead_letters.replay import Replayer
from chassis.messaging import inbox
from chassis.messaging.message import Message
from chassis.postgres import Connection, Database
from contracts.reasons import SetAsideReason
from integration.chassis.ground import TOPIC, Ground, record

ROWS_PER_KEY, ORDERING_KEYS = 4, 2
KEYS = st.sampled_from(["a", "b", "c"])

_EFFECTS = "SELECT key, event_id FROM effect WHERE member = $1 ORDER BY id"
_ACTIONS = """
SELECT count(*) FILTER (WHERE action <> 'replay_failed')
FROM dead_letter_action JOIN dead_letter USING (dead_letter_id) WHERE consumer = $1
"""

ResultT = TypeVar("ResultT")
Lines = dict[str, list[str]]


class Model:
    """The expected state. `poison` are events that cannot be applied yet."""

    def __init__(self) -> None:
        self.poison: set[str] = set()
        self.applied: Lines = defaultdict(list)
        self.waiting: Lines = defaultdict(list)
        self.discarded: set[str] = set()
        # Events of which a record was discarded: a copy may be applied at another position.
        self.disturbed: set[str] = set()
        self.kept: set[RecordIdentity] = set()
        self.settled = 0
        # Events whose offset has passed, in the order in which it first did.
        self.passed: Lines = defaultdict(list)

    def consume(self, batch: Sequence[Message]) -> int:
        """Return how many pass. If a message fails, all are taken one by one, up to the first refused."""
        alone = any(self._fails(message) for message in batch)
        refused: list[int] = []
        for number, message in enumerate(batch):
            if not self._take(message):
                refused.append(number)
                if alone:
                    break
        return refused[0] if refused else len(batch)

    def replay(self, key: str) -> None:
        """Replay up to the first message that fails."""
        line = self.waiting[key]
        while line and (self._is_known(key, line[0]) or line[0] not in self.poison):
            self._apply(key, line.pop(0))
            self.settled += 1

    def discard(self, key: str, index: int) -> None:
        """Discard one message. Its event has no effect any more, unless a copy of it waits."""
        event = self.waiting[key].pop(index)
        self.disturbed.add(event)
        if event not in self.waiting[key]:
            self.discarded.add(event)
        self.settled += 1

    def assert_sound(self) -> None:
        """Check the model itself, without which the test proves nothing."""
        for key, passed in self.passed.items():
            assert set(passed) <= {*self.applied[key], *self.waiting[key], *self.discarded}
            in_order = [event for event in passed if event in self.applied[key]]
            undisturbed = [event for event in self.applied[key] if event not in self.disturbed]
            assert undisturbed == [event for event in in_order if event not in self.disturbed]

    def _take(self, message: Message) -> bool:
        key, event = message.key.decode(), message.metadata.id
        line = self.waiting[key]
        if record_identity(message) not in self.kept and not self._is_known(key, event):
            if line or event in self.poison:
                lines = sum(1 for other in self.waiting.values() if other)
                if len(line) >= ROWS_PER_KEY or (not line and lines >= ORDERING_KEYS):
                    return False
                line.append(event)
                self.kept.add(record_identity(message))
            else:
                self._apply(key, event)
        if event not in self.passed[key]:
            self.passed[key].append(event)
        return True

    def _fails(self, message: Message) -> bool:
        key, event = message.key.decode(), message.metadata.id
        known = record_identity(message) in self.kept or self._is_known(key, event)
        return event in self.poison and not known and not self.waiting[key]

    def _apply(self, key: str, event: str) -> None:
        if not self._is_known(key, event):
            self.applied[key].append(event)

    def _is_known(self, key: str, event: str) -> bool:
        """Return True if a copy changes nothing: the event had its effect, or shall have none."""
        return event in self.applied[key] or event in self.discarded


class Fates(RuleBasedStateMachine):
    """One partition, its consumer without Kafka, and an operator."""

    numbers = count()
    runner: asyncio.Runner
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.consumer = f"sample-{next(self.numbers)}"
        self.letters = DeadLetters(self.consumer, rows_per_key_max=ROWS_PER_KEY, keys_max=ORDERING_KEYS)
        self.model = Model()
        self.events: list[tuple[str, str]] = []
        self.log: list[Message] = []
        self.position = 0

    # --- what happens ------------------------------------------------------------------------

    @rule(made=st.lists(st.tuples(KEYS, st.sampled_from(["well", "well", "poison"])), min_size=1, max_size=8))
    def publish(self, made: list[tuple[str, str]]) -> None:
        for key, kind in made:
            event = f"{self.consumer}:{len(self.events)}"
            self.events.append((key, event))
            if kind == "poison":
                self.model.poison.add(event)
            self._append(key, event)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def publish_a_copy(self, data: st.DataObject) -> None:
        self._append(*data.draw(st.sampled_from(self.events)))

    @rule(messages=st.integers(1, 8))
    def consume(self, messages: int) -> None:
        batch = self.log[self.position : self.position + messages]
        if batch:
            passed = self.model.consume(batch)
            assert self._wait(self._consume(batch)) == passed
            self.position += passed

    @rule(back=st.integers(1, 8))
    def rewind(self, back: int) -> None:
        self.position = max(0, self.position - back)

    @rule()
    def make_topic_anew(self) -> None:
        self.log, self.position = [], 0

    @precondition(lambda self: self.model.poison)
    @rule(data=st.data())
    def heal(self, data: st.DataObject) -> None:
        self.model.poison.discard(data.draw(st.sampled_from(sorted(self.model.poison))))

    @rule(key=KEYS)
    def replay(self, key: str) -> None:
        self.model.replay(key)
        replayer = Replayer(self.database, self.consumer, self._apply)
        self._wait(replayer.replay((TOPIC, key.encode()), ReplayedBy("ada")))

    @precondition(lambda self: any(self.model.waiting.values()))
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(key for key, line in self.model.waiting.items() if line)))
        index = data.draw(st.integers(0, len(self.model.waiting[key]) - 1))
        self.model.discard(key, index)
        assert self._wait(self._discard(key, index))

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def is_as_the_model_says(self) -> None:
        self.model.assert_sound()
        effects, waiting, actions = self._wait(self._state())
        assert effects == {key: line for key, line in self.model.applied.items() if line}
        assert waiting == {key: line for key, line in self.model.waiting.items() if line}
        assert actions == self.model.settled

    # --- how it is done ----------------------------------------------------------------------

    def _append(self, key: str, event: str) -> None:
        made = record(event, key=key)
        self.log.append(Message(TOPIC, 0, len(self.log), key.encode(), b"{}", tuple(made.headers)))

    def _wait(self, doing: Awaitable[ResultT]) -> ResultT:
        async def done() -> ResultT:
            return await doing

        return self.runner.run(done())

    async def _consume(self, batch: Sequence[Message]) -> int:
        """Apply a batch as the consumer does: at once, else one by one; set aside what fails alone."""
        try:
            async with self.database.transaction() as connection:
                placement = await self.letters.partition_batch(connection, batch)
                await self._apply(connection, placement.free)
        except ValueError:
            for number, message in enumerate(batch):
                passes = await (self._consume([message]) if len(batch) > 1 else self._set_aside(message))
                if not passes:
                    return number
            return len(batch)
        return batch.index(placement.no_room[0]) if placement.no_room else len(batch)

    async def _set_aside(self, message: Message) -> bool:
        async with self.database.transaction() as connection:
            return await self.letters.set_aside(
                connection, message, reason=SetAsideReason.BUG, error="ValueError: poison", attempts=3
            )

    async def _apply(self, connection: Connection, messages: Sequence[Message]) -> None:
        for message in (await inbox.admit(connection, messages)).fresh:
            if message.metadata.id in self.model.poison:
                raise ValueError("poison")
            await connection.execute(
                "INSERT INTO effect (member, event_id, key) VALUES ($1, $2, $3)",
                self.consumer,
                message.metadata.id,
                message.key,
            )

    async def _discard(self, key: str, index: int) -> bool:
        async with self.database.connection() as connection:
            letter = (await self._letters(connection, Filter(topic=TOPIC, key=key.encode())))[index]
        return await discard(self.database, self.consumer, letter, DiscardedBy("ada", "never"))

    async def _letters(self, connection: Connection, criteria: Filter) -> list[DeadLetter]:
        letters = await queries.list_letters(connection, self.consumer, criteria, rows_max=100)
        return [letter for letter in letters if isinstance(letter, DeadLetter)]

    async def _state(self) -> tuple[Lines, Lines, int]:
        effects, waiting = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        async with self.database.connection() as connection:
            for row in await connection.fetch(_EFFECTS, self.consumer):
                effects[row["key"].decode()].append(row["event_id"])
            for letter in await self._letters(connection, Filter()):
                waiting[letter.message.key.decode()].append(letter.message.metadata.id)
            return effects, waiting, await connection.fetchval(_ACTIONS, self.consumer)


def test_whatever_happens_each_event_has_one_fate_and_a_key_keeps_its_order(place: Ground) -> None:
    bounded = settings(
        max_examples=60,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        # On a database, shrinking takes minutes: add Phase.shrink by hand when there is something to shrink.
        phases=[Phase.reuse, Phase.generate],
    )
    with asyncio.Runner() as runner:
        database = place.database("fates")
        runner.run(database.start())
        Fates.runner, Fates.database = runner, database
        try:
            run_state_machine_as_test(Fates, settings=bounded)
        finally:
            runner.run(database.stop())
