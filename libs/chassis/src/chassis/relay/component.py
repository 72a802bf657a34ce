"""The relay as a component of a service: one session at a time, adaptive polling, health and metrics."""

import asyncio
import time

from chassis.kafka.producer import Producer
from chassis.messaging.outbox import SHARDS, wake_on_write
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database, Session
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check
from chassis.relay.foreign_locks import ShardWatch
from chassis.relay.metrics import OutboxGauges
from chassis.relay.publisher import PLAN_SETTINGS, SHARD_ROWS_MAX, Publisher
from chassis.relay.shards import Shards

POLL_SECONDS_MIN = 0.002
# Only the first row after a quiet moment waits so long, and only if another process wrote it.
POLL_SECONDS_MAX = 0.1
# While a snapshot is held, each poll of the outbox reads all rows sent since the last watermark but one: 150
# rows at 1,000 a second. With half a second between watermarks it was 750.
WATERMARK_SECONDS = 0.1
"""Pause between two polls of the writers that have ended."""
REBALANCE_SECONDS = 0.5
"""Pause between two rebalances of the shards."""
# More than `publisher.ACK_SECONDS_MAX`, the longest wait between two statements of a running relay.
SILENT_MILLISECONDS_MAX = 3_500
"""After this time without a statement the server ends the session of a relay."""

SESSION_SETTINGS = {
    **PLAN_SETTINGS,
    "idle_session_timeout": f"{SILENT_MILLISECONDS_MAX}ms",
}


class Relay(LoopComponent):
    """Publishes the rows of one outbox to Kafka.

    Args:
        database: the database of the outbox.
        producer: started before the relay, stopped after it.
        metrics: exposes `outbox_published_total`, `outbox_owned_shards`, `outbox_unowned_shards`,
            `outbox_held_back` and the gauges of the backlog.
    """

    def __init__(self, database: Database, producer: Producer, metrics: Metrics) -> None:
        self.name = "relay"
        self._database = database
        self._producer = producer
        self._published = metrics.counter("outbox_published")
        self._owned = metrics.gauge("outbox_owned_shards")
        self._unowned = metrics.gauge("outbox_unowned_shards")
        self._held_back = metrics.gauge("outbox_held_back")
        self._gauges = OutboxGauges(database, metrics)
        self._wake_up = asyncio.Event()
        wake_on_write(self._wake_up)
        self._state = Check(ok=True, detail="not connected yet")

    async def start(self) -> None:
        await self._loop.start()
        await self._gauges.start()

    async def stop(self) -> None:
        """Finish the current batch and release the shards."""
        self._loop.ask_to_stop()
        self._wake_up.set()
        await self._loop.stop()
        await self._gauges.stop()

    async def check(self) -> Check:
        """Return a bad check if publishing fails, anything is held back or a shard has no relay."""
        check = await self._loop.check()
        return self._state if check.ok else check

    async def _run(self, stopping: asyncio.Event) -> None:
        await self._producer.led(())  # raises: a relay that does not reach Kafka must claim no shards
        session = await self._database.dedicated(**SESSION_SETTINGS)
        try:
            await self._publish_until_stopped(session, stopping)
        finally:
            self._report(Shards(session), ShardWatch(session), None)
            session.terminate()

    async def _publish_until_stopped(self, session: Session, stopping: asyncio.Event) -> None:
        shards, publisher = Shards(session), Publisher(session, self._producer)
        watch = ShardWatch(session)
        await shards.join()
        wait_seconds, watermark_at, rebalance_at = POLL_SECONDS_MIN, 0.0, 0.0
        while not stopping.is_set():
            self._wake_up.clear()
            if time.monotonic() >= watermark_at:
                await publisher.raise_watermarks()
                watermark_at = time.monotonic() + WATERMARK_SECONDS
            if time.monotonic() >= rebalance_at:
                await shards.rebalance(may_release=not publisher.in_doubt)
                await watch.poll()
                rebalance_at = time.monotonic() + REBALANCE_SECONDS
            published = await publisher.publish_batch(shards.owned) if shards.owned else 0
            self._published.inc(published)
            self._report(shards, watch, publisher)
            self._loop.recovered()
            if published >= SHARD_ROWS_MAX:
                continue
            wait_seconds = POLL_SECONDS_MIN if published else min(wait_seconds * 2, POLL_SECONDS_MAX)
            if wait_seconds <= POLL_SECONDS_MIN:  # rows come one after the other: several at once cost less
                await pause(stopping, wait_seconds)
                continue
            await pause(self._wake_up, wait_seconds)
            if self._wake_up.is_set():
                wait_seconds = POLL_SECONDS_MIN

    def _report(self, shards: Shards, watch: ShardWatch, publisher: Publisher | None) -> None:
        self._owned.set(len(shards.owned))
        self._unowned.set(watch.unowned)
        self._held_back.clear()
        for topic in publisher.holds.topics if publisher else ():
            self._held_back.labels(topic, "topic").set(1)
        for topic, keys in publisher.holds.by_topic().items() if publisher else ():
            self._held_back.labels(topic, "keys").set(keys)
        problems = [*filter(None, (watch.problem, publisher.holds.describe() if publisher else ""))]
        detail = f"owns {len(shards.owned)} of {SHARDS} shards"
        self._state = Check(ok=not problems, detail="; ".join(problems) or detail)
