"""Placement of a batch while messages wait: in order, each stored once, within the limits (ALL-1)."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.dead_letters import DeadLetters, Placement
from chassis.dead_letters.discard import discard_matching
from chassis.dead_letters.history import DiscardedBy, Outcome, ReplayedBy
from chassis.dead_letters.ordering import lock_keys
from chassis.dead_letters.placement import compute_placement, record_identity
from chassis.dead_letters.queries import Filter
from chassis.messaging import inbox
from chassis.messaging.message import Message
from chassis.postgres import Database
from contracts.reasons import SetAsideReason
from harness import eventually
from integration.chassis.dead_letters.test_dead_letters import (
    LOCK_WAITERS,
    ORDERING_KEY,
    announced,
    put,
    replayer,
    waiting,
)
from integration.chassis.ground import SERVICE, TOPIC, Ground, Member, record

BY = ReplayedBy("ada")


def message(event_id: str, offset: int, *, key: str = "sick", value: bytes = b"{}") -> Message:
    made = record(event_id, key=key)
    return Message(TOPIC, 0, offset, key.encode(), value, tuple(made.headers))


async def placed(database: Database, *batch: Message, letters: DeadLetters | None = None) -> Placement:
    async with database.transaction() as connection:
        return await (letters or DeadLetters(SERVICE)).partition_batch(connection, batch)


async def set_aside(database: Database, made: Message, letters: DeadLetters | None = None) -> bool:
    async with database.transaction() as connection:
        return await (letters or DeadLetters(SERVICE)).set_aside(
            connection, made, reason=SetAsideReason.BUG, error="ValueError: poison", attempts=3
        )


async def apply(database: Database, *batch: Message) -> None:
    """Apply messages whose only effect is the entry in the inbox."""
    async with database.transaction() as connection:
        await inbox.admit(connection, batch)


async def test_where_nothing_waits_all_is_free_and_nothing_is_written(
    place: Ground, database: Database
) -> None:
    batch = [message(f"sick:{number}", number) for number in range(3)]
    assert await placed(database, *batch) == Placement(free=batch)
    assert await place.set_aside() == []


async def test_batch_is_divided_and_what_stands_behind_is_kept_and_announced(
    place: Ground, database: Database
) -> None:
    head, well, *behind = (
        message("sick:0", 0),
        message("well:0", 1, key="well"),
        *(message(f"sick:{number}", number + 2) for number in range(1, 4)),
    )
    await put(database, head)
    batch = [head, behind[0], well, *behind[1:]]
    assert await placed(database, *batch) == Placement(free=[well], behind=behind, settled=[head])
    assert await waiting(place) == ["sick:0", "sick:1", "sick:2", "sick:3"]
    assert await announced(place) == ["dead-letter.set-aside"] * 4


async def test_record_that_comes_again_is_settled_whatever_became_of_it(
    place: Ground, database: Database
) -> None:
    lines = [message(f"{key}:0", offset, key=key) for offset, key in enumerate(("a", "b", "c"))]
    await put(database, *lines)
    member = Member(place, database=database)
    assert await replayer(member).replay((TOPIC, b"a"), BY) == Outcome(1)
    await discard_matching(database, SERVICE, Filter(topic=TOPIC, key=b"b"), DiscardedBy("ada", "never"))
    assert await placed(database, *lines) == Placement(settled=lines)
    assert [row["status"] for row in await place.set_aside()] == ["replayed", "discarded", "waiting"]


async def test_another_record_at_the_same_place_is_not_lost(place: Ground, database: Database) -> None:
    """The offsets of a topic that was made anew begin again at 0 (F27)."""
    await put(database, message("old", 0))
    again = message("new", 0)
    assert (await placed(database, again)).behind == [again]
    assert await waiting(place) == ["old", "new"]
    other = message("other", 0, key="other")
    assert (await placed(database, other)).free == [other]
    assert await set_aside(database, other)
    assert await waiting(place) == ["old", "new", "other"]


@pytest.mark.parametrize("changed", ["key", "value", "header"])
async def test_table_and_code_compute_one_digest(place: Ground, database: Database, changed: str) -> None:
    made = Message(
        TOPIC,
        3,
        7,
        b"\xff\0k" if changed == "key" else b"k",
        b"\0v" if changed == "value" else b"",
        (("ce_id", b"\xfe"), ("ce_id", b"")) if changed == "header" else (),
    )
    await put(database, made)
    (row,) = await place.set_aside()
    assert row["record_sha256"] == record_identity(made)[3]


async def test_rewound_topic_sets_nothing_aside_that_was_applied_before(
    place: Ground, database: Database
) -> None:
    """F26: messages before, between and after dead letters; the offsets may have begun again."""
    batch = [message(f"sick:{number}", number) for number in range(6)]
    await apply(database, *batch[:2])
    await put(database, batch[2])
    await placed(database, *batch[3:4])
    await discard_matching(database, SERVICE, Filter(topic=TOPIC, key=b"sick"), DiscardedBy("ada", "never"))
    await apply(database, batch[4])
    await put(database, batch[5])
    assert await placed(database, *batch) == Placement(
        free=[batch[0], batch[1], batch[4]], settled=[batch[2], batch[3], batch[5]]
    )
    moved = [message(f"sick:{number}", 100 - number) for number in (0, 1, 4)]
    assert await placed(database, *moved) == Placement(free=moved)
    assert await waiting(place) == ["sick:5"]


async def test_late_failure_of_what_somebody_else_applied_is_no_dead_letter(
    place: Ground, database: Database
) -> None:
    made = message("sick:0", 0)
    await apply(database, made)
    assert await set_aside(database, made)
    assert await place.set_aside() == []


async def test_late_failure_of_what_somebody_else_is_applying_waits_for_him(
    place: Ground, database: Database
) -> None:
    made = message("sick:0", 0)
    async with database.transaction() as connection:
        await lock_keys(connection, SERVICE, [ORDERING_KEY])
        await inbox.admit(connection, [made])
        late = asyncio.create_task(set_aside(database, made))
        await eventually(lambda: place.sql.fetchval(LOCK_WAITERS))
    assert await late
    assert await place.set_aside() == []


async def test_known_identity_with_another_body_is_kept(place: Ground, database: Database) -> None:
    await apply(database, message("sick:0", 0))
    assert await set_aside(database, message("sick:0", 1, value=b"{2}"))
    assert await waiting(place) == ["sick:0"]


async def test_full_line_takes_no_more_and_its_messages_have_no_room(
    place: Ground, database: Database
) -> None:
    letters = DeadLetters(SERVICE, rows_per_key_max=3)
    batch = [message(f"sick:{number}", number) for number in range(5)]
    well = message("well:0", 9, key="well")
    await put(database, batch[0])
    divided = await placed(database, *batch, well, letters=letters)
    assert divided == Placement(free=[well], behind=batch[1:3], settled=batch[:1], no_room=batch[3:])
    assert not await set_aside(database, batch[3], letters)
    assert await set_aside(database, batch[1], letters)
    assert await waiting(place) == ["sick:0", "sick:1", "sick:2"]
    assert len(await announced(place)) == 3


async def test_line_beyond_the_bound_does_not_begin_and_begins_when_another_has_gone(
    place: Ground, database: Database
) -> None:
    letters = DeadLetters(SERVICE, keys_max=2)
    heads = [message(f"{key}:0", offset, key=key) for offset, key in enumerate("abc")]
    assert [await set_aside(database, head, letters) for head in heads] == [True, True, False]
    behind = message("b:1", 5, key="b")
    assert (await placed(database, behind, letters=letters)).behind == [behind]
    await discard_matching(database, SERVICE, Filter(topic=TOPIC, key=b"a"), DiscardedBy("ada", "never"))
    assert await set_aside(database, heads[2], letters)
    assert await waiting(place) == ["b:0", "b:1", "c:0"]


async def test_room_is_counted_after_whoever_takes_it_at_the_same_time(
    place: Ground, database: Database
) -> None:
    letters = DeadLetters(SERVICE, rows_per_key_max=1)
    async with database.transaction() as connection:
        assert await letters.set_aside(
            connection, message("sick:0", 0), reason=SetAsideReason.BUG, error="poison", attempts=3
        )
        second = asyncio.create_task(set_aside(database, message("sick:1", 1), letters))

        async def waits() -> bool:
            return second.done() or await place.sql.fetchval(LOCK_WAITERS) == 1

        await eventually(waits)
    assert not await second
    assert await waiting(place) == ["sick:0"]


async def test_stopped_and_woken_members_keep_a_record_once(place: Ground, database: Database) -> None:
    made = message("sick:0", 0)
    assert await asyncio.gather(*(set_aside(database, made) for _ in range(4))) == [True] * 4
    assert await waiting(place) == ["sick:0"]
    assert await announced(place) == ["dead-letter.set-aside"]


_KEYS = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(_KEYS, max_size=12),
    st.dictionaries(_KEYS, st.integers(0, 3)),
    st.sets(st.integers(0, 11)),
    st.sets(st.integers(0, 11)),
    st.sets(_KEYS),
)
def test_every_message_has_one_place_and_a_line_never_skips(
    keys: Sequence[str], room: dict[str, int], kept: set[int], applied: set[int], in_use: set[str]
) -> None:
    batch = [message(f"{offset}", offset, key=key) for offset, key in enumerate(keys)]
    divided = compute_placement(
        batch,
        stored={record_identity(made) for made in batch if made.offset in kept},
        room={(TOPIC, key.encode()): rows for key, rows in room.items()},
        is_processed=lambda made: made.offset in applied,
        in_use={(TOPIC, key.encode()) for key in in_use},
    )
    lists = (divided.free, divided.behind, divided.settled, divided.no_room, divided.in_use)
    assert sorted(made.offset for each in lists for made in each) == list(range(len(batch)))
    for each in lists:
        assert [made.offset for made in each] == sorted(made.offset for made in each)
    for key, rows in room.items():
        behind, out = ([m.offset for m in each if m.key == key.encode()] for each in lists[1:4:2])
        assert len(behind) <= rows
        assert not out or (len(behind) == rows and max([*behind, -1]) < min(out))
    assert all(made.key.decode() not in room or made.offset in applied for made in divided.free)
    assert all(made.key.decode() in in_use for made in divided.in_use)
    assert not any(made.key.decode() in in_use for made in (*divided.behind, *divided.no_room))
