"""The outbox poller that tutorials teach: `SELECT … FOR UPDATE SKIP LOCKED`, publish, mark, commit.

`tutorial`: a hundred rows a time, each sent and awaited, then marked by one UPDATE; a second's pause when
nothing waits. `tuned`: what a careful user makes of it: a thousand rows, all handed over before the first
ack is awaited, big batches on the wire, rows deleted instead of marked, 10 ms of pause.

Both hold the rows locked until the broker has them, so a crash loses nothing and may double. Both use asyncpg
and prepared statements where the tutorials have an ORM. Argument: which of the two.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaProducer

SCHEMA = """
CREATE TABLE poller_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    payload bytea NOT NULL,
    headers json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX poller_outbox_unsent ON poller_outbox (id) WHERE sent_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON poller_outbox TO booking;
"""

READY = "poller is ready"

_UNSENT = """
SELECT id, topic, key, payload, headers FROM poller_outbox
WHERE sent_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How one of the two goes about it."""

    rows_max: int
    idle_seconds: float
    done: str
    one_by_one: bool
    producer: dict[str, int]


FORMS = {
    "tutorial": Form(
        rows_max=100,
        idle_seconds=1.0,
        done="UPDATE poller_outbox SET sent_at = now() WHERE id = ANY ($1::bigint[])",
        one_by_one=True,
        producer={},
    ),
    "tuned": Form(
        rows_max=1_000,
        idle_seconds=0.01,
        done="DELETE FROM poller_outbox WHERE id = ANY ($1::bigint[])",
        one_by_one=False,
        producer={"max_batch_size": 2**20},
    ),
}


async def main(form: Form) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP"], acks="all", **form.producer)
    connection = await asyncpg.connect(os.environ["BOOKING_POSTGRES_DSN"])
    await producer.start()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    while True:
        if await publish(connection, producer, form) < form.rows_max:
            await asyncio.sleep(form.idle_seconds)


async def publish(connection: asyncpg.Connection, producer: AIOKafkaProducer, form: Form) -> int:
    """One batch, in one transaction; returns how many rows it had."""
    async with connection.transaction():
        rows = await connection.fetch(_UNSENT, form.rows_max)
        acks = []
        for row in rows:
            ack = await send(producer, row)
            if form.one_by_one:
                await ack
            acks.append(ack)
        await asyncio.gather(*acks)
        if rows:
            await connection.execute(form.done, [row["id"] for row in rows])
    return len(rows)


async def send(producer: AIOKafkaProducer, row: asyncpg.Record) -> "asyncio.Future[object]":
    """Hand one row to the producer."""
    return await producer.send(
        os.environ["TOPIC_PREFIX"] + row["topic"],
        row["payload"],
        key=row["key"].encode(),
        headers=[(name, value.encode()) for name, value in json.loads(row["headers"]).items()],
    )


if __name__ == "__main__":
    asyncio.run(main(FORMS[sys.argv[1]]))
