"""Misplaced messages are not applied, and no message waits behind them (ALL-7)."""

import pytest

from chassis.dead_letters import DeadLetters, limits, misplaced
from chassis.dead_letters.discard import discard_matching
from chassis.dead_letters.history import DiscardedBy, Outcome, ReplayedBy
from chassis.dead_letters.queries import Filter
from chassis.dead_letters.replay import Replayer
from chassis.messaging import inbox
from chassis.messaging.message import Message
from chassis.postgres import Connection, Database
from contracts.metadata import MessageMetadata
from integration.chassis.ground import SERVICE, TOPIC, Ground, record

KEY = b"victim"


def forged(event_id: str, offset: int) -> Message:
    headers = MessageMetadata(id=event_id, source="elsewhere", type="booking.happened").to_headers()
    return Message(TOPIC, 0, offset, KEY, b"{}", headers)


def true(event_id: str, offset: int) -> Message:
    return Message(TOPIC, 0, offset, KEY, b"{}", tuple(record(event_id).headers))


async def never(_connection: Connection, _messages: object) -> int:
    raise AssertionError("applied")


async def test_forged_messages_hold_nobody_up_and_take_no_identity(
    place: Ground, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(misplaced, "MISPLACED_ROWS_MAX", 2)
    batch = [forged("e1", 0), true("e1", 1), forged("e2", 2), forged("e3", 3)]
    async with database.transaction() as connection:
        placement = await DeadLetters(SERVICE).partition_batch(connection, batch)
    assert (placement.misplaced, placement.free) == ([batch[0], batch[2], batch[3]], [batch[1]])
    kept = await place.set_aside()
    assert [(row["reason"], row["record_offset"]) for row in kept] == [
        ("out_of_place", 0),
        ("out_of_place", 2),
    ]
    async with database.transaction() as connection:
        assert await limits.count_keys(connection, SERVICE, up_to=9) == 0
        later = true("e4", 4)
        assert (await DeadLetters(SERVICE).partition_batch(connection, [later])).free == [later]
    outcome = await Replayer(database, SERVICE, never).replay((TOPIC, KEY), ReplayedBy("ada"))
    (failure,) = outcome.failures
    assert failure.error.startswith("MisplacedMessageError: ce_source")
    assert await discard_matching(database, SERVICE, Filter(), DiscardedBy("ada", "a forgery")) == Outcome(2)
    async with database.connection() as connection:
        identities = [inbox.event_identity(message) for message in batch]
        assert await inbox.fetch_processed(connection, identities) == {}, "the true event can still come"
