"""Low watermarks on a real database: late commits lose nothing, and dead rows do not slow polls."""

import asyncio
import json
import random

from chassis.messaging import outbox
from chassis.messaging.outbox import SHARDS
from chassis.relay.publisher import (
    _UNSENT,
    PLAN_SETTINGS,
    SHARD_BYTES_MAX,
    SHARD_ROWS_MAX,
    Publisher,
)
from harness import eventually
from integration.chassis.ground import Ground, Sender, append, event, event_ids
from integration.chassis.kafka.memory_log import MemoryLog

WRITERS, EVENTS = 8, 120
PAGES_TOUCHED_MAX = 150


async def test_eight_writers_that_commit_late_lose_nothing_under_two_relays(ground: Ground) -> None:
    """Some transactions stay open while many others draw later ids, commit, and are sent."""
    database = ground.database("writers")
    await database.start()

    async def write(key: str, pauses: random.Random) -> None:
        for number in range(EVENTS):
            async with database.transaction() as connection:
                await outbox.append(connection, [event(number, key=key)])
                await asyncio.sleep(pauses.choice((0.0, 0.0, 0.002, 0.05)))

    async with Sender(ground, "one").running(), Sender(ground, "two").running():
        await asyncio.gather(*(write(f"k{n}", random.Random(n)) for n in range(WRITERS)))

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained, seconds=30)
    await database.stop()
    ids = event_ids(await ground.topic.records())
    for writer in range(WRITERS):
        of_key = [i for i in dict.fromkeys(ids) if i.startswith(f"k{writer}:")]
        assert of_key == [f"k{writer}:{number}" for number in range(EVENTS)]


async def test_row_that_commits_after_thousands_of_later_ones_were_sent_is_sent(ground: Ground) -> None:
    database = ground.database("writers")
    await database.start()
    session, log = await database.dedicated(), MemoryLog()
    publisher = Publisher(session, log)
    async with database.transaction() as late:
        await outbox.append(late, [event(0, key="late")])
        for number in range(5):
            await append(database, [event(number, key=f"k{key}") for key in range(100)])
            await publisher.raise_watermarks()
            await _publish_all(publisher)
            await publisher.raise_watermarks()
    await _publish_all(publisher)
    session.terminate()
    await database.stop()
    assert len(log.records) == 501
    assert event_ids(log.records)[-1] == "late:0"


async def _publish_all(publisher: Publisher) -> None:
    while await publisher.publish_batch(range(SHARDS)):
        pass


async def test_poll_under_a_held_snapshot_does_not_read_the_rows_already_sent(ground: Ground) -> None:
    """B4 without a clock: a poll touches few pages despite 20,000 dead rows that cannot be vacuumed."""
    database = ground.database("writers")
    await database.start()
    session, log = await database.dedicated(**PLAN_SETTINGS), MemoryLog()
    publisher = Publisher(session, log)
    async with ground.sql.connect() as holder, holder.transaction(isolation="repeatable_read"):
        await holder.execute("SELECT 1 FROM outbox LIMIT 1")
        for number in range(20):
            await append(database, [event(number, key=f"k{key}") for key in range(1000)])
            await _publish_all(publisher)
            await publisher.raise_watermarks()
        for _ in range(2):  # one to mark what was seen, one to see that its writers have ended
            await publisher.raise_watermarks()
            await _publish_all(publisher)
        plan = json.loads(
            await session.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_UNSENT}",
                list(range(SHARDS)),
                publisher._watermarks.of(range(SHARDS)),
                *([], [], []),
                SHARD_ROWS_MAX,
                SHARD_BYTES_MAX,
            )
        )
    session.terminate()
    await database.stop()
    assert len(log.records) == 20_000
    touched = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert touched < PAGES_TOUCHED_MAX


async def test_ids_are_drawn_without_a_cache(ground: Ground) -> None:
    """A session with cached ids would write old ids after newer ones were seen: no proof would hold."""
    cache = "SELECT cache_size FROM pg_sequences WHERE sequencename = 'outbox_id_seq'"
    assert await ground.sql.fetchval(cache) == 1
