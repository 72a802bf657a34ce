"""The relay sends each row in order per key and deletes it only after the ack (BK-11, rule 3)."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import asyncpg
import pytest

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.kafka.producer import Producer
from chassis.messaging import outbox
from chassis.messaging.outbox import SHARDS
from chassis.postgres import Session
from chassis.postgres.advisory_locks import OUTBOX_RELAY
from chassis.relay.publisher import ACK_SECONDS_MAX, Publisher
from harness import Infra, Record, down, eventually
from integration.chassis.ground import TOPIC, Ground, Sender, append, event, event_ids


def numbers_by_key(records: Sequence[Record]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for event_id in event_ids(records):
        key, number = event_id.split(":")
        numbers[key].append(int(number))
    return numbers


async def owners(ground: Ground) -> Counter[int]:
    """Return how many sessions hold the lock of each shard."""
    rows = await ground.sql.fetch(
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid < $2 AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        OUTBOX_RELAY,
        SHARDS,
    )
    return Counter(int(row["objid"]) for row in rows)


async def test_writers_that_commit_late_lose_nothing_and_keep_the_order_per_key(ground: Ground) -> None:
    """Ids are drawn when a row is written and visible when it commits: `id > last` would skip some."""
    keys, events = 12, 40
    database = ground.database("writers")
    await database.start()

    async def write(key: str) -> None:
        for number in range(events):
            async with database.transaction() as connection:
                await outbox.append(connection, [event(number, key=key)])
                await asyncio.sleep(random.uniform(0, 0.03))

    async with Sender(ground).running():
        await asyncio.gather(*(write(f"k{number}") for number in range(keys)))
        records = await ground.topic.read_until(lambda found: len(found) >= keys * events, seconds=30)

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained)
    await database.stop()
    assert numbers_by_key(records) == {f"k{number}": list(range(events)) for number in range(keys)}


async def test_two_relays_own_each_shard_once_and_publish_each_row_once(ground: Ground) -> None:
    database = ground.database("writer")
    await database.start()
    began = time.monotonic()
    async with Sender(ground, "one").running() as one, Sender(ground, "two").running() as two:
        for batch in range(20):
            await append(database, [event(batch, key=f"k{key}") for key in range(50)])
        records = await ground.topic.read_until(lambda found: len(found) >= 1_000, seconds=30)

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained)

        async def shared_evenly() -> bool:
            details = [(await sender.relay.check()).detail for sender in (one, two)]
            return details == [f"owns {SHARDS // 2} of {SHARDS} shards"] * 2

        await eventually(shared_evenly)
        assert await owners(ground) == dict.fromkeys(range(SHARDS), 1)
        records = await ground.topic.records()
    await database.stop()
    numbers = numbers_by_key(records)
    assert {key: sorted(set(found)) for key, found in numbers.items()} == {
        f"k{key}": list(range(20)) for key in range(50)
    }
    # A relay whose ack comes too late sends its batch again: on a machine that stood still, copies are right.
    assert len(records) == 1_000 or time.monotonic() - began > ACK_SECONDS_MAX


async def test_kafka_away_keeps_the_rows_and_sends_them_when_it_is_back(ground: Ground, infra: Infra) -> None:
    database = ground.database("writer")
    await database.start()
    async with Sender(ground).running() as sender:
        await append(database, [event(0, key="k")])
        await ground.topic.read_until(lambda found: len(found) == 1)
        async with down(infra.kafka, how="kill"):
            await append(database, [event(number, key="k") for number in range(1, 50)])

            async def says_so() -> bool:
                return not (await sender.relay.check()).ok

            await eventually(says_so, seconds=20)
            assert await ground.outbox_rows() == 49

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained, seconds=40)
        assert (await sender.relay.check()).ok
        records = await ground.topic.records()
    await database.stop()
    last_copies = list(dict.fromkeys(reversed(event_ids(records))))[::-1]
    assert last_copies == [f"k:{number}" for number in range(50)]


class Interrupted(Producer):
    """Sends, then ends the relay's database session before the relay receives the acks."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.kafka, client_id="interrupted")
        self._ground = ground
        self.session: Session | None = None

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        outcomes = await super().send_all(records, ack_seconds_max=ack_seconds_max)
        assert outcomes == [None] * len(records)
        assert self.session is not None
        pid = self.session.get_server_pid()
        await self._ground.sql.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        return outcomes


async def test_relay_that_lost_its_session_after_the_ack_cannot_delete(ground: Ground) -> None:
    """Its locks ended with the session: another relay may own the shards now."""
    database = ground.database("writer")
    await database.start()
    await append(database, [event(number, key="k") for number in range(5)])
    producer = Interrupted(ground)
    await producer.start()

    async def topic_is_led() -> bool:  # else its rows are held back, and nothing is sent
        return await producer.led({TOPIC}) == {TOPIC}

    await eventually(topic_is_led)
    session = producer.session = await database.dedicated()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await Publisher(session, producer).publish_batch(range(SHARDS))
    assert await ground.outbox_rows() == 5
    await producer.stop()
    await database.stop()
    async with Sender(ground).running():
        records = await ground.topic.read_until(lambda found: len(found) == 10, seconds=20)

        async def drained() -> bool:
            return await ground.outbox_rows() == 0

        await eventually(drained)
    assert event_ids(records) == [f"k:{number}" for number in range(5)] * 2


async def test_row_written_in_a_transaction_that_rolls_back_is_never_sent(ground: Ground) -> None:
    database = ground.database("writer")
    await database.start()

    async def write_and_fail() -> None:
        async with database.transaction() as connection:
            await outbox.append(connection, [event(0, key="k")])
            raise RuntimeError("effect failed")

    with pytest.raises(RuntimeError, match="effect failed"):
        await write_and_fail()
    await append(database, [event(1, key="k")])
    async with Sender(ground).running():
        records = await ground.topic.read_until(len)
    await database.stop()
    assert event_ids(records) == ["k:1"]


async def test_stopped_relay_frees_its_shards_at_once(ground: Ground) -> None:
    async with Sender(ground).running():

        async def all_owned() -> bool:
            return len(await owners(ground)) == SHARDS

        await eventually(all_owned)

    async def free() -> bool:
        return not await owners(ground)

    await eventually(free, seconds=3)
