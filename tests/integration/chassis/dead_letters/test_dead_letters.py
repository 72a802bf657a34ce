"""Dead letters are replayed or discarded in order, each exactly once, and nothing overtakes them (ALL-1)."""

import asyncio
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from chassis.dead_letters import DeadLetters, history, queries, setting_aside
from chassis.dead_letters import discard as discarding_module
from chassis.dead_letters.discard import discard, discard_matching
from chassis.dead_letters.history import ACTION_TABLE, DiscardedBy, Outcome, ReplayedBy
from chassis.dead_letters.ordering import lock_keys, try_lock_keys
from chassis.dead_letters.queries import DeadLetter, Filter
from chassis.dead_letters.replay import Replayer
from chassis.messaging.failures import LostWriteError
from chassis.messaging.message import Message, OrderingKey, unpack_headers
from chassis.postgres import Connection, Database
from chassis.postgres.append_only import assert_append_only
from contracts.metadata import read_metadata
from contracts.reasons import SetAsideReason
from harness import eventually
from integration.chassis.consuming.test_failures import Trouble
from integration.chassis.ground import SERVICE, TOPIC, Ground, Member, record

ORDERING_KEY = (TOPIC, b"sick")
BY = ReplayedBy("ada", "fixed")
# Sessions that wait for the lock of an ordering key: bigint advisory locks have objsubid 1.
LOCK_WAITERS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def message(event_id: str, offset: int) -> Message:
    made = record(event_id, key="sick")
    return Message(TOPIC, 0, offset, b"sick", made.value or b"", tuple(made.headers))


async def put(database: Database, *messages: Message) -> None:
    """Set messages aside as the consumer does."""
    for made in messages:
        async with database.transaction() as connection:
            await DeadLetters(SERVICE).set_aside(
                connection, made, reason=SetAsideReason.BUG, error="ValueError: poison", attempts=3
            )


async def waiting(ground: Ground) -> list[str]:
    """Return the event ids of the waiting messages, in order."""
    rows = await ground.sql.fetch("SELECT headers FROM dead_letter WHERE status = 'waiting' ORDER BY id")
    return [read_metadata(unpack_headers(row["headers"])).id for row in rows]


async def recorded(ground: Ground) -> list[tuple[Any, ...]]:
    """Return the recorded actions, oldest first."""
    rows = await ground.sql.fetch(
        "SELECT action, actor, given.reason, error FROM dead_letter_action"
        " LEFT JOIN dead_letter_action_reason AS given ON action_id = id ORDER BY id"
    )
    return [tuple(row) for row in rows]


async def announced(ground: Ground) -> list[str]:
    """Return the types of the events in the outbox, oldest first; all have the ordering key's key."""
    rows = await ground.sql.fetch("SELECT topic, key, headers FROM outbox ORDER BY id")
    assert {(row["topic"], row["key"]) for row in rows} == {("dead-letters.v1", b"sick")}
    return [read_metadata(unpack_headers(row["headers"])).type for row in rows]


async def first(database: Database) -> DeadLetter:
    async with database.connection() as connection:
        letter = await queries.first_waiting(connection, SERVICE, ORDERING_KEY)
    assert letter is not None
    return letter


async def list_letters(connection: Connection, criteria: Filter, *, after: int = 0) -> list[DeadLetter]:
    letters = await queries.list_letters(connection, SERVICE, criteria, after=after, rows_max=2)
    return [letter for letter in letters if isinstance(letter, DeadLetter)]


def replayer(member: Member) -> Replayer:
    return Replayer(member.database, SERVICE, member.apply)


async def test_replay_after_the_fix_applies_the_line_in_order_and_releases_it(ground: Ground) -> None:
    trouble = Trouble(ValueError("poison"), "sick:1")
    await ground.topic.publish_all([record(f"sick:{number}", key="sick") for number in range(4)])
    async with Member(ground, before=trouble, through_inbox=False).running() as member:

        async def aside() -> bool:
            return len(await ground.set_aside()) == 3

        await eventually(aside, seconds=20)
        trouble.over = True
        assert await replayer(member).replay(ORDERING_KEY, BY) == Outcome(3)
        await ground.topic.publish_all([record("sick:4", key="sick")])

        async def applied() -> bool:
            return await ground.effects() == [f"sick:{number}" for number in range(5)]

        await eventually(applied)
    assert await waiting(ground) == []
    assert await recorded(ground) == [("replayed", "ada", "fixed", None)] * 3
    assert await announced(ground) == ["dead-letter.set-aside"] * 3 + ["dead-letter.replayed"] * 3


async def test_replay_that_fails_again_stops_there_and_the_line_waits_on(
    place: Ground, database: Database
) -> None:
    trouble = Trouble(ValueError("still poison"), "sick:1")
    member = Member(place, before=trouble, database=database, through_inbox=False)
    await put(database, *(message(f"sick:{number}", number) for number in range(4)))
    outcome = await replayer(member).replay(ORDERING_KEY, BY)
    letter = await first(database)
    assert (outcome.done, [failure.dead_letter_id for failure in outcome.failures]) == (1, [letter.id])
    assert letter.error.startswith("ValueError at ")
    assert "poison" not in letter.error
    assert letter.attempts == 4
    assert await place.effects() == ["sick:0"]
    assert await waiting(place) == ["sick:1", "sick:2", "sick:3"]
    assert (await recorded(place))[-1] == ("replay_failed", "ada", "fixed", letter.error)
    assert await announced(place) == ["dead-letter.set-aside"] * 4 + ["dead-letter.replayed"]
    trouble.over = True
    assert await replayer(member).replay(ORDERING_KEY, BY) == Outcome(3)
    assert await place.effects() == [f"sick:{number}" for number in range(4)]


async def test_effect_written_before_the_failure_is_undone(place: Ground, database: Database) -> None:
    async def half(connection: Connection, messages: Sequence[Message]) -> None:
        await connection.execute("INSERT INTO effect (member, event_id, key) VALUES ('a', 'half', '')")
        raise ValueError("poison")

    await put(database, message("sick:0", 0))
    outcome = await Replayer(database, SERVICE, half).replay(ORDERING_KEY, BY)
    assert outcome.failures
    assert await place.effects() == []


async def test_failure_that_passes_is_no_attempt(place: Ground, database: Database) -> None:
    trouble = Trouble(asyncpg.SerializationError("busy"), "sick:0")
    member = Member(place, before=trouble, database=database)
    await put(database, message("sick:0", 0))
    with pytest.raises(asyncpg.SerializationError):
        await replayer(member).replay(ORDERING_KEY, BY)
    assert (await first(database)).attempts == 3
    assert await recorded(place) == []


async def test_two_replays_at_once_apply_each_message_once(place: Ground, database: Database) -> None:
    member = Member(place, database=database, through_inbox=False)
    await put(database, *(message(f"sick:{number}", number) for number in range(12)))
    outcomes = await asyncio.gather(*(replayer(member).replay(ORDERING_KEY, BY) for _ in range(4)))
    assert sum(outcome.done for outcome in outcomes) == 12
    assert await place.effects() == [f"sick:{number}" for number in range(12)]
    assert len(await recorded(place)) == 12


async def test_message_that_arrives_during_the_last_replay_comes_after_it_and_is_not_stranded(
    ground: Ground,
) -> None:
    at_last, go = asyncio.Event(), asyncio.Event()

    async def hold(made: Message) -> None:
        if made.metadata.id == "sick:0":
            at_last.set()
            await go.wait()

    async with Member(ground, before=hold, through_inbox=False).running() as member:
        await put(member.database, message("sick:0", 1_000_000))
        replay = asyncio.create_task(replayer(member).replay(ORDERING_KEY, BY))
        await at_last.wait()
        await ground.topic.publish_all([record(f"sick:{number}", key="sick") for number in (1, 2)])
        await ground.topic.publish_all([record("well:0", key="well")])

        async def others_applied() -> bool:
            return await ground.effects() == ["well:0"]

        await eventually(others_applied, seconds=20, what="another key does not wait for the replay")
        go.set()
        assert await replay == Outcome(1)

        async def applied() -> bool:
            return await ground.effects() == ["well:0", "sick:0", "sick:1", "sick:2"]

        await eventually(applied)
    assert await waiting(ground) == []


async def test_line_released_between_look_and_lock_is_no_waiting_one(
    place: Ground, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member(place, database=database, through_inbox=False)
    await put(database, message("sick:0", 0))

    async def replay_first(
        connection: Connection, consumer: str, lines: Iterable[OrderingKey]
    ) -> set[OrderingKey]:
        assert await replayer(member).replay(ORDERING_KEY, BY) == Outcome(1)
        return await try_lock_keys(connection, consumer, lines)

    monkeypatch.setattr(setting_aside, "try_lock_keys", replay_first)
    late = message("sick:1", 1)
    async with database.transaction() as connection:
        assert (await DeadLetters(SERVICE).partition_batch(connection, [late])).free == [late]


async def test_message_being_put_behind_is_seen_by_the_replay_that_empties_the_line(
    place: Ground, database: Database
) -> None:
    member = Member(place, database=database, through_inbox=False)
    letters = DeadLetters(SERVICE)
    await put(database, message("sick:0", 0))
    late = message("sick:1", 1)
    async with database.transaction() as connection:
        assert (await letters.partition_batch(connection, [late])).behind == [late]
        replay = asyncio.create_task(replayer(member).replay(ORDERING_KEY, BY))

        async def held_back() -> bool:
            return replay.done() or await place.sql.fetchval(LOCK_WAITERS) == 1

        await eventually(held_back)
    assert await replay == Outcome(2)
    assert await place.effects() == ["sick:0", "sick:1"]


async def test_stream_replayed_while_it_flows_keeps_its_order(ground: Ground) -> None:
    trouble = Trouble(ValueError("poison"), "sick:0")
    names = [f"sick:{number}" for number in range(200)]
    await ground.topic.publish_all([record(name, key="sick") for name in names[:20]])
    async with Member(ground, before=trouble, through_inbox=False).running() as member:

        async def aside() -> bool:
            return len(await ground.set_aside()) == 20

        await eventually(aside, seconds=20)
        trouble.over = True

        async def flow() -> None:
            for name in names[20:]:
                await ground.topic.publish_all([record(name, key="sick")])

        flowing = asyncio.create_task(flow())

        async def all_applied() -> bool:
            outcome = await replayer(member).replay(ORDERING_KEY, BY)
            return not outcome.failures and len(await ground.effects()) == len(names)

        await eventually(all_applied, seconds=40)
        await flowing
    assert await ground.effects() == names
    assert await waiting(ground) == []


async def test_discarded_head_is_never_applied_and_the_next_waits_for_a_replay(
    place: Ground, database: Database
) -> None:
    member = Member(place, database=database, through_inbox=False)
    await put(database, *(message(f"sick:{number}", number) for number in range(3)))
    head = await first(database)
    assert await discard(database, SERVICE, head, DiscardedBy("ada", "a test event"))
    assert not await discard(database, SERVICE, head, DiscardedBy("bob", "too late"))
    async with database.transaction() as connection:
        assert (await DeadLetters(SERVICE).partition_batch(connection, [message("sick:3", 3)])).behind
    assert await replayer(member).replay(ORDERING_KEY, BY) == Outcome(3)
    assert await place.effects() == ["sick:1", "sick:2", "sick:3"]
    assert (await recorded(place))[0] == ("discarded", "ada", "a test event", None)
    types = ["dead-letter.discarded", "dead-letter.set-aside", *["dead-letter.replayed"] * 3]
    assert (await announced(place))[3:] == types


async def test_message_that_is_being_replayed_cannot_be_discarded_meanwhile(
    place: Ground, database: Database
) -> None:
    await put(database, message("sick:0", 0))
    head = await first(database)
    async with database.transaction() as connection:
        await lock_keys(connection, SERVICE, [ORDERING_KEY])
        await history.record_replay(connection, SERVICE, head, BY)
        discarding = asyncio.create_task(discard(database, SERVICE, head, DiscardedBy("bob", "too late")))
        await eventually(lambda: place.sql.fetchval(LOCK_WAITERS))
    assert not await discarding
    assert await recorded(place) == [("replayed", BY.actor, BY.reason, None)]


async def test_discarded_line_is_released(place: Ground, database: Database) -> None:
    await put(database, *(message(f"sick:{number}", number) for number in range(3)))
    by = DiscardedBy("ada", "all for nothing")
    assert await discard_matching(database, SERVICE, Filter(key=b"sick"), by) == Outcome(3)
    async with database.transaction() as connection:
        assert (await DeadLetters(SERVICE).partition_batch(connection, [message("sick:3", 3)])).free


async def test_discarding_keeps_to_its_rate(
    place: Ground, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await put(database, *(message(f"sick:{number}", number) for number in range(5)))
    monkeypatch.setattr(discarding_module, "asyncio", SimpleNamespace(sleep=sleep))
    by = DiscardedBy("ada", "all for nothing")
    assert await discard_matching(database, SERVICE, Filter(), by, rate_per_second_max=2.0) == Outcome(5)
    assert slept == [1.0, 1.0], "between the pages, and not behind the last"


async def test_copy_of_a_discarded_event_has_no_effect_either(place: Ground, database: Database) -> None:
    member = Member(place, database=database)
    await put(database, message("sick:0", 0))
    assert await discard(database, SERVICE, await first(database), DiscardedBy("ada", "a test event"))
    copy = message("sick:0", 7)
    async with database.transaction() as connection:
        placement = await DeadLetters(SERVICE).partition_batch(connection, [copy])
        assert await member.apply(connection, placement.free) == 0
    assert await place.effects() == []


async def test_discarding_a_copy_lets_the_one_that_waits_be_applied(
    place: Ground, database: Database
) -> None:
    member = Member(place, database=database)
    await put(database, message("sick:0", 0), message("sick:0", 7))
    async with database.connection() as connection:
        (_, copy) = await list_letters(connection, Filter())
    assert await discard(database, SERVICE, copy, DiscardedBy("ada", "it stands there twice"))
    assert await replayer(member).replay(ORDERING_KEY, BY) == Outcome(1)
    assert await place.effects() == ["sick:0"]


async def test_corrected_body_of_a_discarded_undecodable_one_is_applied(
    place: Ground, database: Database
) -> None:
    member = Member(place, database=database)
    async with database.transaction() as connection:
        await DeadLetters(SERVICE).set_aside(
            connection, message("sick:0", 0), reason=SetAsideReason.MALFORMED, error="no JSON", attempts=1
        )
    assert await discard(database, SERVICE, await first(database), DiscardedBy("ada", "is sent again"))
    corrected = Message(TOPIC, 0, 7, b"sick", b"{}", message("sick:0", 0).headers)
    async with database.transaction() as connection:
        assert await member.apply(connection, [corrected]) == 1


async def test_discarding_what_names_no_event_is_done_all_the_same(place: Ground, database: Database) -> None:
    await put(database, Message(TOPIC, 0, 0, b"sick", b"{}", ()))
    assert await discard(database, SERVICE, await first(database), DiscardedBy("ada", "no event"))
    assert await place.sql.fetchval("SELECT count(*) FROM inbox") == 0


async def test_message_that_the_database_does_not_keep_is_not_passed(
    place: Ground, database: Database
) -> None:
    """A trigger drops the row without an error; the transaction that lets the offset pass must fail."""
    await put(database, message("kept", 1))
    await place.sql.execute(
        "CREATE FUNCTION drop_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER drop_rows BEFORE INSERT ON dead_letter FOR EACH ROW EXECUTE FUNCTION drop_rows()"
    )
    with pytest.raises(LostWriteError, match="dead_letter: 0 of 1"):
        await put(database, message("lost", 2))
    await put(database, message("kept", 1))
    await place.sql.execute("DROP FUNCTION drop_rows() CASCADE")


async def test_list_is_filtered_and_paged_in_order(place: Ground, database: Database) -> None:
    await put(database, *(message(f"sick:{number}", number) for number in range(3)))
    async with database.connection() as connection:
        page = await list_letters(connection, Filter())
        rest = await list_letters(connection, Filter(), after=page[-1].number)
        assert [letter.message.metadata.id for letter in (*page, *rest)] == ["sick:0", "sick:1", "sick:2"]
        assert not any(letter.message.value for letter in page), "a list has no bodies"
        assert (await first(database)).message.value
        for criteria in (
            Filter(status="replayed"),
            Filter(topic="another"),
            Filter(key=b"well"),
            Filter(reason="malformed"),
            Filter(set_aside_before=page[0].set_aside_at),
        ):
            assert await list_letters(connection, criteria) == []


async def test_record_of_actions_is_append_only(database: Database) -> None:
    await assert_append_only(database, [ACTION_TABLE])
