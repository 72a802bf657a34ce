"""B3: how fast an outbox is drained, and how soon a committed event is on Kafka."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bench.judging import Comparison, Sample, percentile
from bench.measuring import Meter, Usage
from bench.outbox_load import Topic, find_violations, make_events, open_topic
from bench.outbox_sides import EMPTIERS, RELAY, SERVICE, TUNED, TUTORIAL, Emptier
from bench.row import Experiment, Row, Side, Size
from chassis import clock, outbox
from chassis.outbox import OutgoingEvent
from chassis.postgres import Connection
from contracts.topics import BOOKINGS_EVENTS
from harness import Stack, start_services
from harness.embedded import EmbeddedInfra

WARM_UP_ROWS = 1_000
DRAIN_ROWS = {Size.FULL: 50_000, Size.QUICK: 5_000}
DRAIN_SECONDS_MAX = 600.0
ARRIVALS_PER_SECOND = 500
ARRIVAL_SECONDS = {Size.FULL: 20, Size.QUICK: 4}
WRITERS = 8


@dataclass(frozen=True, slots=True)
class Scene:
    """An outbox that somebody empties, warm."""

    emptier: Emptier
    stack: Stack
    session: Connection
    topic: Topic
    written: list[OutgoingEvent]
    trees: dict[str, int]

    async def fill(self, events: list[OutgoingEvent]) -> Meter:
        """Write events in one transaction; the meter runs from just before its commit."""
        records = [outbox.to_record(event) for event in events]
        async with self.session.transaction():
            await self.emptier.fill(self.session, records)
            meter = Meter(self.trees)
        self.written.extend(events)
        return meter

    async def emptied(self) -> None:
        """Return when all that was written is on the topic and none of it waits any more."""
        await self.topic.wait_for(len(self.written), seconds_max=DRAIN_SECONDS_MAX)
        while await self.session.fetchval(self.emptier.waiting):
            pass  # each question is a round trip, and the last batch is about to go

    async def sample(
        self, experiment: str, side: str, round_: int, took: tuple[Usage, int], **figures: float
    ) -> Sample:
        """What was measured, with the correctness check of everything that was ever written."""
        usage, operations = took
        cpu = {name: seconds / operations * 1e6 for name, seconds in usage.cpu_seconds.items()}
        violations = find_violations(self.written, await self.topic.read())
        return Sample(experiment, side, round_, figures, cpu, usage.others_share, violations)


@asynccontextmanager
async def scene(side: str, infra: EmbeddedInfra) -> AsyncGenerator[Scene]:
    """Databases, topics and process of one sample, after its warm-up and a checkpoint."""
    emptier = EMPTIERS[side]
    async with start_services(infra) as stack:
        await emptier.prepare(stack)
        name = stack.topic(BOOKINGS_EVENTS.name).name
        await _stamp_by_broker(infra, name)
        process = await emptier.start(stack)
        trees = {"sender": process.pid, "postgres": infra.postgres.pid, "kafka": infra.kafka.pid}
        try:
            async with (
                open_topic(infra.kafka_bootstrap, name) as topic,
                stack.database(SERVICE).connect() as session,
            ):
                made = Scene(emptier, stack, session, topic, [], trees)
                await made.fill(make_events(WARM_UP_ROWS))
                await made.emptied()
                await session.execute("CHECKPOINT")
                yield made
        finally:
            await process.stop()


async def drain(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A backlog that is there at once, until the last row of it is sent and gone."""
    count = DRAIN_ROWS[size]
    async with scene(side, infra) as place:
        meter = await place.fill(make_events(count))
        await place.emptied()
        usage = meter.read()
        return await place.sample(
            "drain", side, round_, (usage, count), rows_per_second=count / usage.seconds
        )


async def latency(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Single commits at Poisson times; from each commit, and from its scheduled time, to the broker's log."""
    count = ARRIVALS_PER_SECOND * ARRIVAL_SECONDS[size]
    events = make_events(count)
    async with scene(side, infra) as place:
        meter = Meter(place.trees)
        scheduled, committed = await _write_open_loop(place, events, random.Random(round_))
        await place.emptied()
        usage = meter.read()
        arrived = {arrival.event_id: arrival.at for arrival in await place.topic.read()}
        waits = [(arrived[i] - at) * 1e3 for i, at in committed.items() if i in arrived]
        from_schedule = [(arrived[i] - at) * 1e3 for i, at in scheduled.items() if i in arrived]
        return await place.sample(
            "latency",
            side,
            round_,
            (usage, count),
            commit_p50_ms=percentile(waits, 50),
            commit_p99_ms=percentile(waits, 99),
            scheduled_p99_ms=percentile(from_schedule, 99),
        )


async def _write_open_loop(
    place: Scene, events: list[OutgoingEvent], chance: random.Random
) -> tuple[dict[str, float], dict[str, float]]:
    """Commit each event at its time, whatever became of those before; scheduled and committed times by id."""
    scheduled: dict[str, float] = {}
    committed: dict[str, float] = {}
    dsn = place.stack.database(SERVICE).dsn(SERVICE)
    async with asyncpg.create_pool(dsn, min_size=WRITERS, max_size=WRITERS) as pool:

        async def write(event: OutgoingEvent) -> None:
            async with pool.acquire() as connection, connection.transaction():
                await place.emptier.append(connection, event)
            committed[event.event_id] = clock.now().timestamp()

        at = clock.now().timestamp()
        async with asyncio.TaskGroup() as writers:
            for event in events:
                at += chance.expovariate(ARRIVALS_PER_SECOND)
                await asyncio.sleep(max(0.0, at - clock.now().timestamp()))
                scheduled[event.event_id] = at
                writers.create_task(write(event))
    place.written.extend(events)
    return scheduled, committed


async def _stamp_by_broker(infra: EmbeddedInfra, topic: str) -> None:
    """Let the broker write its own time into each record when it appends it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka_bootstrap)
    await admin.start()
    try:
        config = {"message.timestamp.type": "LogAppendTime"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
    finally:
        await admin.close()


_SURVIVES = "process dies: all, some twice; machine dies: what PostgreSQL has"
"""What is committed is synced to disk; what stands in one broker's page cache alone is not."""

ROW = Row(
    name="B3",
    title="outbox relay ‖ the tutorials' SKIP LOCKED poller, as taught and tuned",
    sides=(
        Side(RELAY, "`booking serve --only relay`, one process, as deployed", _SURVIVES),
        Side(TUTORIAL, "100 rows, each sent and awaited, one UPDATE; 1 s idle", _SURVIVES),
        Side(TUNED, "1,000 rows in flight, 1 MiB batches, DELETE; 10 ms idle", _SURVIVES),
    ),
    experiments=(
        Experiment("drain", {"rows_per_second": "rows/s"}, drain),
        Experiment(
            "latency",
            {
                "commit_p50_ms": "ms p50 from commit",
                "commit_p99_ms": "ms p99 from commit",
                "scheduled_p99_ms": "ms p99 from schedule",
            },
            latency,
        ),
    ),
    comparisons=(
        Comparison("drain", "rows_per_second", "drain, ÷ tutorial", RELAY, TUTORIAL, "≥ 3"),
        Comparison("drain", "rows_per_second", "drain, ÷ tuned", RELAY, TUNED),
        Comparison("latency", "commit_p99_ms", "p99 commit to Kafka at 500/s, ms", RELAY, None, "≤ 50"),
        Comparison("latency", "commit_p99_ms", "p99 at 500/s, ÷ tuned", RELAY, TUNED),
        Comparison("latency", "commit_p99_ms", "p99 at 500/s, ÷ tutorial", RELAY, TUTORIAL),
    ),
    yardsticks=("raw COPY", "pgbench -N", "bare aiokafka producer"),
)
