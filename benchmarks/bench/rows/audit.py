"""A1 and A2: a backlog becomes entries of the EventLog, and how soon an event is recorded and sealed."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.audit_load import (
    COPY,
    FORMS,
    OURS,
    ROWS,
    STRIPE,
    UNSEALED,
    make_record,
    open_producer,
    publish,
    start_side,
)
from bench.judging import Comparison, Sample, percentile
from bench.measuring import Meter, Usage
from bench.row import Experiment, Row, Side, Size
from chassis import clock
from harness import Stack, eventually, start_services
from harness.databases import Connection
from harness.embedded import EmbeddedInfra

SURVIVES = "process dies: all; machine dies: all that was committed"

BACKLOG = {Size.FULL: 1_000_000, Size.QUICK: 20_000}
# So many events tell the rate of a commit for each.
ROWS_BACKLOG = {Size.FULL: 50_000, Size.QUICK: 3_000}
DRAIN_SECONDS_MAX = 1_800.0
ARRIVALS_PER_SECOND = 1_000
ARRIVAL_SECONDS = {Size.FULL: 60, Size.QUICK: 10}
WARM_UP_EVENTS = 2_000
SEALED_SECONDS_MAX = 30.0

_STORED = {
    OURS: "SELECT count(*) FROM audit.event_log WHERE topic = 'webhooks.stripe.v1'",
    COPY: "SELECT count(*) FROM writer.event",
}
# Counting a growing table would be work for the same server.
_PROGRESS = {
    OURS: "SELECT coalesce(max(entry_id), 0) FROM audit.event_log",
    COPY: "SELECT coalesce(max(id), 0) FROM writer.event",
}
_PAYLOADS = "SELECT count(*) FROM audit.event_log JOIN audit.event_payload USING (entry_id)"

_COMMITTED = "SELECT entry_id, event_id FROM audit.event_log WHERE entry_id > $1 ORDER BY entry_id"
_HEAD = "SELECT tree_size, clock_timestamp() AS at FROM audit.log_head"
_LEAVES = "SELECT leaf_index, recorded_at FROM audit.log_leaf JOIN audit.event_log USING (entry_id)"


async def append(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A backlog of events on the topic, from the first stored one to the last."""
    count = (ROWS_BACKLOG if side == ROWS else BACKLOG)[size]
    kind = COPY if side in FORMS else OURS
    async with start_services(infra) as stack:
        await publish(stack, range(count))
        database = stack.database("audit")
        await database.execute("CHECKPOINT")
        process = await start_side(stack, side)
        try:
            async with database.connect() as connection:
                first = await eventually(lambda: connection.fetchval(_PROGRESS[kind]), seconds=60)
                assert first is not None
                meter = Meter(
                    {"consumer": process.pid, "postgres": infra.postgres.pid, "kafka": infra.kafka.pid}
                )

                async def is_stored() -> bool:
                    return await connection.fetchval(_PROGRESS[kind]) >= count

                await eventually(is_stored, seconds=DRAIN_SECONDS_MAX)
                usage = meter.read()
                stored = await connection.fetchval(_STORED[kind], timeout=120)
                payloads = count if kind == COPY else await connection.fetchval(_PAYLOADS, timeout=120)
        finally:
            await process.stop()
    violations = [f"{stored} of {count} events are stored"] if stored != count else []
    violations += [f"{payloads} payloads for {count} entries"] if payloads != count else []
    figures = {"per_second": (count - first) / usage.seconds}
    return Sample("append", side, round_, figures, _cpu(usage, count), usage.others_share, violations)


@dataclass(slots=True)
class Watch:
    """Sees from outside when entries are committed and sealed."""

    connection: Connection
    committed: dict[str, float] = field(default_factory=dict[str, float])
    heads: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    last_id: int = 0

    async def look(self) -> None:
        """Look once; what is new became visible since the look before."""
        rows = await self.connection.fetch(_COMMITTED, self.last_id)
        now = clock.now().timestamp()
        self.committed |= {row["event_id"]: now for row in rows}
        self.last_id = rows[-1]["entry_id"] if rows else self.last_id
        head = await self.connection.fetchrow(_HEAD)
        if head is not None and (not self.heads or self.heads[-1][0] != head["tree_size"]):
            self.heads.append((head["tree_size"], head["at"].timestamp()))

    async def seal_lags(self) -> list[float]:
        """Return for each entry the milliseconds from its recording to the signed head that covers it."""
        lags: list[float] = []
        heads = iter(self.heads)
        size, at = next(heads, (0, 0.0))
        for row in await self.connection.fetch(f"{_LEAVES} ORDER BY leaf_index", timeout=120):
            while size <= row["leaf_index"]:
                size, at = next(heads)
            lags.append((at - row["recorded_at"].timestamp()) * 1000)
        return lags


async def lag(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Poisson arrivals: from the scheduled time to the commit, and from recording to the signed head."""
    count = ARRIVALS_PER_SECOND * ARRIVAL_SECONDS[size]
    async with start_services(infra, "audit") as stack, stack.database("audit").connect() as connection:
        await publish(stack, range(WARM_UP_EVENTS))
        watch = Watch(connection)
        await _until(watch, lambda: len(watch.committed) >= WARM_UP_EVENTS)
        [process] = stack.services("audit")
        meter = Meter({"consumer": process.pid, "postgres": infra.postgres.pid, "kafka": infra.kafka.pid})
        sending = asyncio.create_task(_send(stack, count, random.Random(round_)))
        await _until(watch, lambda: sending.done() and len(watch.committed) >= WARM_UP_EVENTS + count)
        usage = meter.read()
        await _until(watch, lambda: bool(watch.heads) and watch.heads[-1][0] >= len(watch.committed))
        scheduled = sending.result()
        waits = [(watch.committed[event_id] - at) * 1000 for event_id, at in scheduled.items()]
        seals = (await watch.seal_lags())[WARM_UP_EVENTS:]
    figures = {
        "commit_p50_ms": percentile(waits, 50),
        "commit_p99_ms": percentile(waits, 99),
        "seal_p99_s": percentile(seals, 99) / 1000,
    }
    violations = [] if len(seals) == count else [f"{len(seals)} of {count} entries are sealed"]
    return Sample("lag", side, round_, figures, _cpu(usage, count), usage.others_share, violations)


async def _until(watch: Watch, is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SEALED_SECONDS_MAX + max(ARRIVAL_SECONDS.values())
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(watch.committed)} events are recorded, heads end at {watch.heads[-1:]}")
        await watch.look()
        await asyncio.sleep(0.005)


async def _send(stack: Stack, count: int, chance: random.Random) -> dict[str, float]:
    """Send events at Poisson times; return their scheduled times by event id."""
    topic, scheduled, waiting = stack.topic(STRIPE).name, dict[str, float](), []
    records = [make_record(number) for number in range(count)]
    async with open_producer(stack) as producer:
        at = clock.now().timestamp()
        for key, body, headers in records:
            at += chance.expovariate(ARRIVALS_PER_SECOND)
            if (early := at - clock.now().timestamp()) > 0:
                await asyncio.sleep(early)
            scheduled[dict(headers)["ce_id"].decode()] = at
            waiting.append(await producer.send(topic, body, key=key, headers=headers))
        for sent in waiting:
            await sent
    return scheduled


def _cpu(usage: Usage, count: int) -> dict[str, float]:
    return {name: seconds / count * 1e6 for name, seconds in usage.cpu_seconds.items()}


APPEND_ROW = Row(
    name="A1",
    title="a backlog of a million events becomes entries of the EventLog",
    sides=(
        Side(
            OURS,
            "`audit serve`, one process, as deployed: known events add nothing, entries are sealed",
            SURVIVES,
        ),
        Side(UNSEALED, "the same without a signing key", SURVIVES),
        Side(
            COPY, "aiokafka, COPY of 500 records a commit into one table; copies are stored twice", SURVIVES
        ),
        Side(ROWS, "aiokafka, INSERT … ON CONFLICT and a commit for each record", SURVIVES),
    ),
    experiments=(Experiment("append", {"per_second": "events/s"}, append),),
    comparisons=(
        Comparison("append", "per_second", "rate, ÷ raw COPY", OURS, COPY, "≥ 0.45 (0.3)"),
        Comparison("append", "per_second", "rate, ÷ commit per row", OURS, ROWS, "≥ 12"),
        Comparison("append", "per_second", "rate, sealing ÷ not sealing", OURS, UNSEALED, "≥ 0.95"),
    ),
    yardsticks=("raw COPY", "pgbench -N"),
)

LAG_ROW = Row(
    name="A2",
    title="1,000 events a second: how soon recorded, how soon sealed",
    sides=(Side(OURS, "`audit serve`, one process, as deployed", SURVIVES),),
    experiments=(
        Experiment(
            "lag",
            {
                "commit_p50_ms": "ms p50 to commit",
                "commit_p99_ms": "ms p99 to commit",
                "seal_p99_s": "s p99 to seal",
            },
            lag,
        ),
    ),
    comparisons=(
        Comparison("lag", "commit_p99_ms", "p99 produced to committed at 1,000/s, ms", OURS, None, "≤ 150"),
        Comparison("lag", "seal_p99_s", "p99 recorded to sealed at 1,000/s, s", OURS, None, "≤ 2"),
    ),
    yardsticks=("pgbench -N", "bare aiokafka producer"),
)
