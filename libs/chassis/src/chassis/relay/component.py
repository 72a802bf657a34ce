"""The relay as a part of a service: one session at a time, adaptive polling, health and metrics."""

import asyncio
import time

from chassis.kafka.producer import Producer
from chassis.messaging.outbox import SHARDS
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database, Session
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import Check
from chassis.relay.metrics import OutboxMeter
from chassis.relay.publisher import PLAN_SETTINGS, SHARD_ROWS_MAX, Outlet
from chassis.relay.shards import Shards
from chassis.relay.strangers import ShardWatch

POLL_SECONDS_MIN = 0.002
POLL_SECONDS_MAX = 0.05
SETTLE_SECONDS = 0.1
"""Between two looks at which writers have ended. While a snapshot is held, every look at the outbox walks
over what was sent since the last but one: 150 rows at 1,000 a second; with half a second it was 750."""
TEND_SECONDS = 0.5
"""Between two looks at who is alive."""
SILENT_MILLISECONDS_MAX = 3_500
"""The server ends a silent relay's session after this long: more than an outlet's `ACK_SECONDS_MAX`, the
longest wait between two of a living relay's statements."""

SESSION_SETTINGS = {
    **PLAN_SETTINGS,
    "idle_session_timeout": f"{SILENT_MILLISECONDS_MAX}ms",
}


class Relay:
    """Moves rows from one outbox to Kafka until stopped.

    Args:
        database: whose outbox.
        producer: started before, stopped after.
        metrics: `outbox_published_total`, `outbox_owned_shards`, `outbox_unowned_shards`,
            `outbox_held_back`, and the meter's.
    """

    def __init__(self, database: Database, producer: Producer, metrics: Metrics) -> None:
        self.name = "relay"
        self._database = database
        self._producer = producer
        self._published = metrics.counter("outbox_published")
        self._owned = metrics.gauge("outbox_owned_shards")
        self._unowned = metrics.gauge("outbox_unowned_shards")
        self._held_back = metrics.gauge("outbox_held_back")
        self._meter = OutboxMeter(database, metrics)
        self._loop = BackgroundLoop(self.name, self._run)
        self._state = Check(ok=True, detail="not connected yet")

    async def start(self) -> None:
        """Begin; connecting is the loop's business."""
        await self._loop.start()
        await self._meter.start()

    async def stop(self) -> None:
        """Finish the batch in hand and release the shards."""
        await self._loop.stop()
        await self._meter.stop()

    async def check(self) -> Check:
        """Good while batches go through, nothing is held back and relays own all shards; else says why."""
        check = await self._loop.check()
        return self._state if check.ok else check

    async def _run(self, stopping: asyncio.Event) -> None:
        await self._producer.led(())  # who does not reach Kafka must not stand for a share of the shards
        session = await self._database.dedicated(**SESSION_SETTINGS)
        try:
            await self._relay(session, stopping)
        finally:
            self._show(Shards(session), ShardWatch(session), None)
            session.terminate()

    async def _relay(self, session: Session, stopping: asyncio.Event) -> None:
        shards, outlet = Shards(session), Outlet(session, self._producer)
        watch = ShardWatch(session)
        await shards.join()
        wait_seconds, settle_at, tend_at = POLL_SECONDS_MIN, 0.0, 0.0
        while not stopping.is_set():
            if time.monotonic() >= settle_at:
                await outlet.settle()
                settle_at = time.monotonic() + SETTLE_SECONDS
            if time.monotonic() >= tend_at:
                await shards.balance(may_release=not outlet.in_doubt)
                await watch.look()
                tend_at = time.monotonic() + TEND_SECONDS
            moved = await outlet.move(shards.owned) if shards.owned else 0
            self._published.inc(moved)
            self._show(shards, watch, outlet)
            self._loop.recovered()
            if moved >= SHARD_ROWS_MAX:
                continue
            wait_seconds = POLL_SECONDS_MIN if moved else min(wait_seconds * 2, POLL_SECONDS_MAX)
            await pause(stopping, wait_seconds)

    def _show(self, shards: Shards, watch: ShardWatch, outlet: Outlet | None) -> None:
        self._owned.set(len(shards.owned))
        self._unowned.set(watch.unowned)
        self._held_back.clear()
        for topic in outlet.holds.topics if outlet else ():
            self._held_back.labels(topic, "topic").set(1)
        for topic, keys in outlet.holds.by_topic().items() if outlet else ():
            self._held_back.labels(topic, "keys").set(keys)
        troubles = [
            trouble for trouble in (watch.trouble, outlet.holds.account() if outlet else "") if trouble
        ]
        detail = f"owns {len(shards.owned)} of {SHARDS} shards"
        self._state = Check(ok=not troubles, detail="; ".join(troubles) or detail)
