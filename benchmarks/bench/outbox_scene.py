"""An outbox that somebody empties, how it is filled, and what is looked at afterwards."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bench.measuring import Meter, Usage
from bench.outbox_load import Topic, make_event, make_events, open_topic
from bench.outbox_sides import EMPTIERS, SERVICE, Emptier
from chassis import clock
from chassis.messaging import outbox
from chassis.messaging.outbox import OutgoingEvent
from chassis.postgres import Connection
from contracts.topics import BOOKINGS_EVENTS
from harness import Stack, start_services
from harness.embedded import EmbeddedInfra

SURVIVES = "process dies: all, some twice; machine dies: what PostgreSQL has"
"""What is committed is synced to disk; what stands in one broker's page cache alone is not."""

WARM_UP_ROWS = 1_000
DRAIN_SECONDS_MAX = 600.0
WRITERS = 8


Lane = asyncio.Queue[Sequence[OutgoingEvent] | None]
"""What one writer has to commit, in order; None ends it."""


@dataclass(slots=True)
class Times:
    """When events were to be written and when they were committed: seconds of the wall clock by event id."""

    scheduled: dict[str, float] = field(default_factory=dict[str, float])
    committed: dict[str, float] = field(default_factory=dict[str, float])


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

    async def write(self, arrivals: Iterable[float], *, rows: int = 1) -> Times:
        """Commit `rows` events at a time, open loop: at its time, whatever became of those before.

        Writers take turns, and `KEYS` is a multiple of what a turn writes: a key always has the same writer,
        so that its rows get their ids in the order in which they commit, however late the writers are.

        Args:
            arrivals: seconds from one commit to the next.
            rows: of consecutive numbers, so of different keys.
        """
        times = Times()
        lanes: list[Lane] = [asyncio.Queue() for _ in range(WRITERS)]
        async with asyncio.TaskGroup() as writers:
            for lane in lanes:
                writers.create_task(self._commit(lane, times))
            at = clock.now().timestamp()
            for number, interval in enumerate(arrivals):
                at += interval
                events = [make_event(number * rows + offset) for offset in range(rows)]
                await asyncio.sleep(max(0.0, at - clock.now().timestamp()))
                self.written.extend(events)
                times.scheduled |= dict.fromkeys(map(_id, events), at)
                lanes[number % WRITERS].put_nowait(events)
            for lane in lanes:
                lane.put_nowait(None)
        return times

    async def _commit(self, lane: Lane, times: Times) -> None:
        async with self.stack.database(SERVICE).connect(role=SERVICE) as connection:
            while (events := await lane.get()) is not None:
                async with connection.transaction():
                    await self.emptier.append(connection, events)
                times.committed |= dict.fromkeys(map(_id, events), clock.now().timestamp())


def _id(event: OutgoingEvent) -> str:
    return str(event.event_id)


def cpu_microseconds(usage: Usage, operations: int) -> dict[str, float]:
    """Per operation, by process tree."""
    return {name: seconds / operations * 1e6 for name, seconds in usage.cpu_seconds.items()}


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


async def _stamp_by_broker(infra: EmbeddedInfra, topic: str) -> None:
    """Let the broker write its own time into each record when it appends it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka_bootstrap)
    await admin.start()
    try:
        config = {"message.timestamp.type": "LogAppendTime"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
    finally:
        await admin.close()
