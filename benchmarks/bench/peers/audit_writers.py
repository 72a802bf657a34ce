"""Writers of an event log as users make them: read topics with aiokafka, store the records, commit offsets.

`copy`: COPY of everything that a batch has, into a table with one index. It tells no copies apart, and so is
the upper limit of what a Python consumer can store. `rows`: one INSERT and one commit for each record, which
skips copies. `batches`: the same INSERT for all records of a batch, in one transaction.

All read up to 500 records at once, and commit offsets after the rows. Arguments: the form, the topics.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord

SCHEMA = """
CREATE SCHEMA writer;
CREATE TABLE writer.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_id text NOT NULL,
    source text NOT NULL,
    event_type text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    headers json NOT NULL,
    body bytea NOT NULL
);
GRANT USAGE ON SCHEMA writer TO audit;
GRANT SELECT, INSERT ON writer.event TO audit;
"""
UNIQUE = "CREATE UNIQUE INDEX ON writer.event (event_id, source)"

READY = "writer is ready"

_COLUMNS = ("event_id", "source", "event_type", "topic", "partition", "record_offset", "headers", "body")
_INSERT = """
INSERT INTO writer.event (event_id, source, event_type, topic, partition, record_offset, headers, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""
_BATCH = 500


def _row(record: ConsumerRecord) -> tuple[object, ...]:
    headers = {name: value.decode() for name, value in record.headers}
    return (
        *_identity(record, headers),
        record.topic,
        record.partition,
        record.offset,
        json.dumps(headers),
        record.value,
    )


def _identity(record: ConsumerRecord, headers: Mapping[str, str]) -> tuple[str, str, str]:
    if "ce_id" in headers:
        return headers["ce_id"], headers["ce_source"], headers["ce_type"]
    event = json.loads(record.value)  # a gateway that writes no headers
    return event["id"], record.topic, event["type"]


async def _store(connection: asyncpg.Connection, form: str, records: Sequence[ConsumerRecord]) -> None:
    rows = [_row(record) for record in records]
    if form == "copy":
        await connection.copy_records_to_table("event", schema_name="writer", columns=_COLUMNS, records=rows)
        return
    if form == "batches":
        async with connection.transaction():
            await connection.executemany(_INSERT, rows)
        return
    for row in rows:
        await connection.execute(_INSERT, *row)


async def main(form: str, topics: Sequence[str]) -> None:
    """Store records until the process is ended."""
    connection = await asyncpg.connect(os.environ["AUDIT_POSTGRES_DSN"])
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP"],
        group_id=f"writer-{topics[0]}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=8 * 2**20,
        max_partition_fetch_bytes=4 * 2**20,
    )
    await consumer.start()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=_BATCH)
        if records := [record for each in fetched.values() for record in each]:
            await _store(connection, form, records)
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
