"""The relay: publishes outbox rows in order per key and deletes them after the broker's ack (BK-11).

One relay owns a shard at a time, by a session advisory lock. Everything it does runs on the connection
that holds the locks, so a relay that lost them cannot mark anything. The server ends that session when it
falls silent (a stopped process, a cut network), and another relay takes over within seconds.
"""

import asyncio
from collections.abc import Sequence

import asyncpg

from chassis.health import Check
from chassis.kafka import OutgoingRecord, Producer
from chassis.logs import get_logger
from chassis.messages import unpack_headers
from chassis.metrics import Metrics
from chassis.outbox import SHARDS
from chassis.parts import BackgroundLoop, pause
from chassis.postgres import Database, Session

_log = get_logger(__name__)

BATCH_ROWS_MAX = 500
ACK_SECONDS_MAX = 3.0
POLL_SECONDS_MIN = 0.002
POLL_SECONDS_MAX = 0.05
STANDBY_SECONDS = 0.5
SILENT_SECONDS_MAX = 4
"""The server ends a silent relay's session after this long: more than ACK_SECONDS_MAX, the longest wait
between two of a living relay's statements."""

LOCK_NAMESPACE = 7_310_579
"""First half of the advisory lock's key; the second is the shard."""

_TRY_LOCK = """
SELECT shard FROM generate_series(0, $2 - 1) AS shard
WHERE NOT shard = ANY($3::integer[]) AND pg_try_advisory_lock($1, shard)
"""

# Never `id > last`: rows that commit late would be lost (foundations §5).
_UNSENT = """
SELECT id, topic, key, value, headers FROM outbox WHERE shard = ANY($1::integer[]) ORDER BY id LIMIT $2
"""

_SENT = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"


class Relay:
    """Moves rows from one outbox to Kafka until stopped.

    Args:
        database: whose outbox.
        producer: started before, stopped after.
        metrics: `outbox_published_total`.
    """

    def __init__(self, database: Database, producer: Producer, metrics: Metrics) -> None:
        self.name = "relay"
        self._database = database
        self._producer = producer
        self._published = metrics.counter("outbox_published", "Outbox rows acknowledged by the broker")
        self._loop = BackgroundLoop(self.name, self._run)
        self._shards: list[int] = []

    async def start(self) -> None:
        """Begin; connecting is the loop's business."""
        await self._loop.start()

    async def stop(self) -> None:
        """Finish the batch in hand and release the shards."""
        await self._loop.stop()

    async def check(self) -> Check:
        """Good while batches go through; says which shards this replica owns."""
        check = await self._loop.check()
        return (
            check if not check.ok else Check(ok=True, detail=f"owns {len(self._shards)} of {SHARDS} shards")
        )

    async def _run(self, stopping: asyncio.Event) -> None:
        session = await self._database.dedicated(idle_session_timeout=f"{SILENT_SECONDS_MAX}s")
        self._shards = []
        try:
            await self._relay(session, stopping)
        finally:
            self._shards = []
            session.terminate()

    async def _relay(self, session: Session, stopping: asyncio.Event) -> None:
        wait_seconds = POLL_SECONDS_MIN
        since_standby = STANDBY_SECONDS
        while not stopping.is_set():
            if len(self._shards) < SHARDS and since_standby >= STANDBY_SECONDS:
                await self._take_shards(session)
                since_standby = 0.0
            moved = await self.publish_batch(session) if self._shards else 0
            self._loop.recovered()
            if moved == BATCH_ROWS_MAX:
                continue
            wait_seconds = POLL_SECONDS_MIN if moved else min(wait_seconds * 2, POLL_SECONDS_MAX)
            since_standby += wait_seconds
            await pause(stopping, wait_seconds)

    async def _take_shards(self, session: Session) -> None:
        rows = await session.fetch(_TRY_LOCK, LOCK_NAMESPACE, SHARDS, self._shards)
        if rows:
            self._shards.extend(row["shard"] for row in rows)
            _log.info("relay took shards", shards=len(self._shards))

    async def publish_batch(self, session: Session) -> int:
        """Publish the oldest rows of the shards owned, and delete those the broker has. Returns how many.

        Of a key with a failure, only rows before it are deleted: the rest is sent again, so that the last
        copies stand in order on the topic. Consumers drop the earlier ones by event id.

        Raises:
            BrokerUnavailableError: some rows were not acknowledged; they stay.
        """
        rows = await session.fetch(_UNSENT, self._shards, BATCH_ROWS_MAX)
        if not rows:
            return 0
        acked, failure = await self._publish(rows)
        if acked:
            await session.execute(_SENT, acked)
            self._published.inc(len(acked))
        if failure is not None:
            raise failure
        return len(acked)

    async def _publish(self, rows: Sequence[asyncpg.Record]) -> tuple[list[int], Exception | None]:
        records = [
            OutgoingRecord(row["topic"], row["key"], row["value"], unpack_headers(row["headers"]))
            for row in rows
        ]
        outcomes = await self._producer.send_all(records, ack_seconds_max=ACK_SECONDS_MAX)
        acked: list[int] = []
        held: set[bytes] = set()
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome is not None:
                held.add(row["key"])
            elif row["key"] not in held:
                acked.append(row["id"])
        return acked, next((outcome for outcome in outcomes if outcome is not None), None)
