"""A row that cannot be sent waits with its key, in order, and delays no other (F22, outgoing)."""

from collections.abc import Collection

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.kafka.producer import Producer
from chassis.messaging import outbox
from chassis.messaging.outbox import SHARDS, shard_of
from chassis.postgres import Session
from chassis.relay import publisher as publisher_module
from chassis.relay.publisher import FULL_POLL_WITH_HOLDS_SECONDS, Publisher
from harness import TestTopic, eventually
from integration.chassis.ground import Ground, Sender, append, event, event_ids

# Two keys of one shard, so that they share each poll and each batch.
KEY_A, KEY_B = "a", "k2"
assert shard_of(KEY_A.encode()) == shard_of(KEY_B.encode())
MISSING = "nobody.made.v1"

_WITHOUT_TOPIC = """
INSERT INTO outbox (shard, topic, key, value, headers)
SELECT $1, $2, $3, convert_to(number::text, 'UTF8'), '[]' FROM generate_series(1, $4::integer) AS number
"""


async def write_to_missing_topic(ground: Ground, key: str, rows: int) -> None:
    await ground.sql.execute(_WITHOUT_TOPIC, shard_of(key.encode()), MISSING, key.encode(), rows)


async def make_topic(ground: Ground, name: str) -> TestTopic:
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(ground.kafka.topic_prefix + name, 1, 1)])
    finally:
        await admin.close()
    return TestTopic(ground.bootstrap, ground.kafka.topic_prefix + name)


async def test_missing_topic_holds_back_its_rows_alone_until_it_is_made(ground: Ground) -> None:
    """Other rows are sent, although more rows than a batch wait before them, in the same shard and key."""
    database = ground.database("writer")
    await database.start()
    stuck = 3 * publisher_module.SHARD_ROWS_MAX
    await write_to_missing_topic(ground, KEY_A, stuck)
    async with Sender(ground).running() as sender:
        for number in range(5):
            await append(database, [event(number, key=KEY_A), event(number, key=KEY_B)])
        records = await ground.topic.read_until(lambda found: len(found) >= 10)
        assert sorted(event_ids(records)) == sorted(f"{k}:{n}" for k in (KEY_A, KEY_B) for n in range(5))

        async def only_the_stuck_are_left() -> bool:
            return await ground.outbox_rows() == stuck

        await eventually(only_the_stuck_are_left)
        check = await sender.relay.check()
        assert not check.ok
        assert f"topic {MISSING} is held back" in check.detail
        assert f'sample_outbox_held_back{{kind="topic",topic="{MISSING}"}} 1.0' in sender.exposed()
        topic = await make_topic(ground, MISSING)

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained, seconds=30)
        await eventually(lambda: _good(sender), seconds=FULL_POLL_WITH_HOLDS_SECONDS + 10)
    await database.stop()
    assert [record.value for record in await topic.records()] == [b"%d" % n for n in range(1, stuck + 1)]


async def _good(sender: Sender) -> bool:
    return (await sender.relay.check()).ok


async def test_record_that_is_too_large_holds_back_only_its_key(ground: Ground) -> None:
    database = ground.database("writer")
    await database.start()
    too_large = event(1, key=KEY_A).payload.model_copy(update={"first_body_sha256": "x" * 2**21})
    async with database.transaction() as connection:
        await outbox.append(connection, [event(0, key=KEY_A)])
        large = outbox.OutgoingEvent(payload=too_large, key=KEY_A, source="sample", event_id=f"{KEY_A}:1")
        await outbox.append(connection, [large, event(2, key=KEY_A)])
        await outbox.append(connection, [event(number, key=KEY_B) for number in range(10)])
    async with Sender(ground).running() as sender:

        async def only_that_key_is_left() -> bool:
            return await ground.outbox_rows() == 2

        await eventually(only_that_key_is_left)
        check = await sender.relay.check()
        assert not check.ok
        assert f"key '{KEY_A}' of bookings.events.v1 held back" in check.detail
        assert "MessageSizeTooLargeError" in check.detail
        assert 'sample_outbox_held_back{kind="keys",topic="bookings.events.v1"} 1.0' in sender.exposed()
        await append(database, [event(10, key=KEY_B)])
        await ground.topic.read_until(lambda found: f"{KEY_B}:10" in event_ids(found))
        assert await ground.outbox_rows() >= 2
        records = await ground.topic.records()
        await ground.sql.execute("DELETE FROM outbox WHERE octet_length(value) > 1000000")

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained, seconds=FULL_POLL_WITH_HOLDS_SECONDS + 10)
    await database.stop()
    ids = event_ids(records)
    assert [i for i in ids if i.startswith(KEY_B)] == [f"{KEY_B}:{number}" for number in range(11)]
    assert f"{KEY_A}:2" not in ids


class Late(Producer):
    """Ends the database session between the relay's poll and its first record, as a long stop would."""

    def __init__(self, ground: Ground, session: Session) -> None:
        super().__init__(ground.kafka, client_id="late")
        self._ground = ground
        self._session = session

    async def led(self, topics: Collection[str]) -> set[str]:
        led = await super().led(topics)
        pid = self._session.get_server_pid()
        await self._ground.sql.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        return led


async def test_relay_stopped_after_its_poll_publishes_nothing_without_its_session(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "PROOF_SECONDS_MAX", 0.01)
    database = ground.database("writer")
    await database.start()
    await append(database, [event(number, key="k") for number in range(5)])
    session = await database.dedicated()
    producer = Late(ground, session)
    await producer.start()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await Publisher(session, producer).publish_batch(range(SHARDS))
    await producer.stop()
    await database.stop()
    assert await ground.topic.records() == []
    assert await ground.outbox_rows() == 5


async def test_relay_that_cannot_reach_kafka_leaves_the_shards_to_others(ground: Ground) -> None:
    """Otherwise it would claim its share and publish nothing."""
    cut_off = Sender(ground, "cut-off")
    await cut_off.database.start()
    await cut_off.relay.start()  # its producer never was
    try:
        await eventually(lambda: _failing(cut_off))
        async with Sender(ground, "able").running() as able:

            async def owns_all() -> bool:
                return (await able.relay.check()).detail == f"owns {SHARDS} of {SHARDS} shards"

            await eventually(owns_all)
            assert await _failing(cut_off)
    finally:
        await cut_off.relay.stop()
        await cut_off.database.stop()


async def _failing(sender: Sender) -> bool:
    return not (await sender.relay.check()).ok
