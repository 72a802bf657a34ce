"""The inbox admits an event once, however often and wherever it arrives (BK-10, design rule 4)."""

import asyncio

import pytest

from chassis.messaging import inbox
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from chassis.postgres import Database
from contracts.metadata import MessageMetadata
from contracts.statements import Statement
from harness import eventually
from integration.chassis.ground import Ground


def message(event_id: str, value: bytes = b"{}", *, source: str = "s") -> Message:
    headers = MessageMetadata(id=event_id, source=source, type="t").to_headers()
    return Message("topic", 0, 0, b"k", value, headers)


def ids(messages: list[Message]) -> list[str]:
    return [each.metadata.id for each in messages]


async def test_duplicates_in_one_batch_are_admitted_once_in_order(database: Database) -> None:
    async with database.transaction() as connection:
        admission = await inbox.admit(connection, [message(i) for i in ("b", "a", "b", "c", "a")])
    assert ids(admission.fresh) == ["b", "a", "c"]
    assert admission.duplicates == 2
    assert admission.conflicts == []


async def test_duplicates_across_batches_are_not_admitted(database: Database) -> None:
    async with database.transaction() as connection:
        await inbox.admit(connection, [message("a"), message("b")])
    async with database.transaction() as connection:
        admission = await inbox.admit(connection, [message("b"), message("c"), message("a")])
    assert (ids(admission.fresh), admission.duplicates) == (["c"], 2)


async def test_same_id_of_another_source_is_another_event(database: Database) -> None:
    async with database.transaction() as connection:
        admission = await inbox.admit(connection, [message("a"), message("a", source="other")])
    assert len(admission.fresh) == 2


async def test_rolled_back_admission_never_happened(database: Database) -> None:
    async def admit_and_fail() -> None:
        async with database.transaction() as connection:
            await inbox.admit(connection, [message("a")])
            raise RuntimeError("effect failed")

    with pytest.raises(RuntimeError, match="effect failed"):
        await admit_and_fail()
    async with database.transaction() as connection:
        assert ids((await inbox.admit(connection, [message("a")])).fresh) == ["a"]


async def test_other_body_under_the_same_id_is_a_conflict_and_not_admitted(database: Database) -> None:
    first, second = message("a", b"1"), message("a", b"2")
    async with database.transaction() as connection:
        within = await inbox.admit(connection, [first, second, message("a", b"1")])
    assert within.fresh == [first]
    assert within.duplicates == 1
    assert [(c.message, c.first_body_sha256) for c in within.conflicts] == [(second, first.body_sha256)]
    async with database.transaction() as connection:
        later = await inbox.admit(connection, [message("a", b"3"), message("b")])
    assert ids(later.fresh) == ["b"]
    assert [c.first_body_sha256 for c in later.conflicts] == [first.body_sha256]


def number(message: Message) -> Statement | None:
    """Return the number in a body, leading zeros ignored. Other bodies have no statement."""
    return {"number": int(message.value)} if message.value.isdigit() else None


async def test_other_body_that_says_the_same_is_a_copy(database: Database) -> None:
    first, written_anew = message("a", b"1"), message("a", b"01")
    async with database.transaction() as connection:
        within = await inbox.admit(connection, [first, written_anew], statement_of=number)
    assert (within.fresh, within.duplicates, within.conflicts) == ([first], 1, [])
    contradiction, unreadable = message("a", b"2"), message("a", b"?")
    async with database.transaction() as connection:
        later = await inbox.admit(connection, [written_anew, contradiction, unreadable], statement_of=number)
    assert (later.fresh, later.duplicates) == ([], 1)
    assert [c.message for c in later.conflicts] == [contradiction, unreadable]


async def test_other_body_is_a_conflict_if_the_first_has_no_statement(database: Database) -> None:
    async with database.transaction() as connection:
        await inbox.admit(connection, [message("a", b"1")])
    async with database.transaction() as connection:
        later = await inbox.admit(connection, [message("a", b"01")], statement_of=number)
    assert len(later.conflicts) == 1


async def waiting(place: Ground) -> int:
    """Return how many sessions wait for a lock of another."""
    return await place.sql.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'", place.name
    )


async def test_replicas_at_the_same_time_admit_once(database: Database, place: Ground) -> None:
    """The second waits for the first to commit, then sees a duplicate."""

    async def second() -> inbox.Admission:
        async with database.transaction() as connection:
            return await inbox.admit(connection, [message("a"), message("b")])

    async def waits() -> bool:
        return await waiting(place) == 1

    async with database.transaction() as connection:
        assert len((await inbox.admit(connection, [message("a")])).fresh) == 1
        running = asyncio.create_task(second())
        await eventually(waits)
    admission = await running
    assert (ids(admission.fresh), admission.duplicates) == (["b"], 1)


async def test_replicas_with_batches_in_opposite_orders_do_not_deadlock(
    database: Database, place: Ground
) -> None:
    """Both wait for the same row. Had each locked another row first, they would deadlock."""

    async def replica(*event_ids: str) -> list[str]:
        async with database.transaction() as connection:
            return ids((await inbox.admit(connection, [message(i) for i in event_ids])).fresh)

    async def both_wait() -> bool:
        return await waiting(place) == 2

    async with place.sql.connect() as other:
        transaction = other.transaction()
        await transaction.start()
        await inbox.admit(other, [message("1")])
        replicas = asyncio.gather(replica("2", "1", "3"), replica("3", "1", "2"))
        await eventually(both_wait)
        await transaction.rollback()
    admitted = await replicas
    assert sorted(admitted, key=len) in ([[], ["2", "1", "3"]], [[], ["3", "1", "2"]])


async def test_identity_with_a_nul_character_is_admitted_once(database: Database) -> None:
    for expected in (1, 0):
        async with database.transaction() as connection:
            assert len((await inbox.admit(connection, [message("a\0b", source="s\0")])).fresh) == expected


async def test_message_without_identity_is_malformed(database: Database) -> None:
    with pytest.raises(MalformedMessageError, match="ce_id"):
        async with database.transaction() as connection:
            await inbox.admit(connection, [Message("t", 0, 0, b"", b"", ())])
