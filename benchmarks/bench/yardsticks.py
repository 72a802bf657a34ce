"""What the servers do with nothing of ours in between (rule 7), measured before and after a run."""

import asyncio
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.gateway_driver import Load, run_load
from bench.gateway_load import Phase
from bench.gateway_sides import GATEWAYS, ROUTE
from bench.row import Size
from chassis import clock
from harness.embedded import EmbeddedInfra
from plumbline import postgres_binaries

COPY_ROWS = {Size.FULL: 500_000, Size.QUICK: 100_000}
PGBENCH_SECONDS = {Size.FULL: 10, Size.QUICK: 3}
PGBENCH_CLIENTS = 4
ASGI_SECONDS = {Size.FULL: 3.0, Size.QUICK: 1.0}
PRODUCER_RECORDS = {Size.FULL: 200_000, Size.QUICK: 30_000}
BODY_BYTES = 600
_PARTITIONS = 6
_SENT_AT_ONCE = 2_000
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """One of them, with its unit."""

    name: str
    unit: str
    read: Callable[[EmbeddedInfra, Size], Awaitable[float]]


async def copy(infra: EmbeddedInfra, size: Size) -> float:
    """Rows per second of COPY into a table without an index."""
    rows = [(number, os.urandom(BODY_BYTES // 2)) for number in range(10_000)]
    connection = await asyncpg.connect(infra.admin_dsn())
    try:
        await connection.execute("CHECKPOINT")  # what a row left to be written is not this reading's work
        await connection.execute("CREATE TABLE yardstick (id bigint, body bytea)")
        began = time.monotonic()
        for _ in range(COPY_ROWS[size] // len(rows)):
            await connection.copy_records_to_table("yardstick", records=rows)
        return COPY_ROWS[size] / (time.monotonic() - began)
    finally:
        await connection.execute("DROP TABLE yardstick")
        await connection.close()


async def pgbench(infra: EmbeddedInfra, size: Size) -> float:
    """Transactions per second of `pgbench -N`, PostgreSQL's own tool."""
    connection = await asyncpg.connect(infra.admin_dsn())
    try:
        await connection.execute("CREATE DATABASE pgbench")
        await _pgbench(infra, "--initialize", "--quiet", "--scale=10")
        await connection.execute("CHECKPOINT")
        said = await _pgbench(
            infra,
            "--skip-some-updates",
            f"--client={PGBENCH_CLIENTS}",
            f"--time={PGBENCH_SECONDS[size]}",
        )
    finally:
        await connection.execute("DROP DATABASE IF EXISTS pgbench WITH (FORCE)")
        await connection.close()
    found = _TPS.search(said)
    if found is None:
        raise RuntimeError(f"pgbench told no rate: {said}")
    return float(found[1])


async def _pgbench(infra: EmbeddedInfra, *options: str) -> str:
    program = postgres_binaries.directory(None) / "pgbench"
    done = await asyncio.to_thread(
        subprocess.run,
        [program, *options, infra.admin_dsn("pgbench")],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


async def producer(infra: EmbeddedInfra, size: Size) -> float:
    """Records per second of a bare aiokafka producer, acks=all.

    A twin of Kafka's ProducerPerformance, whose jar the embedded broker does not carry.
    """
    topic, body = f"yardstick.{clock.new_id()}", os.urandom(BODY_BYTES)
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka_bootstrap)
    await admin.start()
    bare = AIOKafkaProducer(bootstrap_servers=infra.kafka_bootstrap, acks="all", max_batch_size=2**20)
    await bare.start()
    try:
        await admin.create_topics([NewTopic(topic, _PARTITIONS, 1)])
        for partition in range(_PARTITIONS):  # a new topic's leaders refuse for a moment
            await bare.send_and_wait(topic, body, partition=partition)
        began = time.monotonic()
        for first in range(0, PRODUCER_RECORDS[size], _SENT_AT_ONCE):
            numbers = range(first, first + _SENT_AT_ONCE)
            await asyncio.gather(*[await bare.send(topic, body, key=b"%d" % number) for number in numbers])
        return PRODUCER_RECORDS[size] / (time.monotonic() - began)
    finally:
        await bare.stop()
        await admin.delete_topics([topic])
        await admin.close()


async def asgi_route(_infra: EmbeddedInfra, size: Size) -> float:
    """Deliveries per second that one uvicorn process answers when the route does nothing else."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as name:
        directory = Path(name)
        environment = {"PATH": os.environ["PATH"]}
        process, port = GATEWAYS[ROUTE].process(ROUTE, environment, directory / "route.log")
        async with process:
            load = Load((Phase(ASGI_SECONDS[size]),))
            whole = (await run_load(load, [port], "no secret", {}, directory)).phase()
    return whole.good / whole.seconds


YARDSTICKS: Mapping[str, Yardstick] = {
    yardstick.name: yardstick
    for yardstick in (
        Yardstick("raw COPY", "rows/s", copy),
        Yardstick("pgbench -N", "transactions/s", pgbench),
        Yardstick("bare ASGI route", "deliveries/s", asgi_route),
        Yardstick("bare aiokafka producer", "records/s", producer),
    )
}
