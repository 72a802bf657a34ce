"""Poll outbox rows, publish them, delete what the broker acknowledged. One session, one batch at a time."""

import time
from collections.abc import Collection, Sequence
from typing import Protocol

import asyncpg

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.messaging.message import unpack_headers
from chassis.postgres.database import Session
from chassis.relay.holds import BatchResult, Holds, classify_outcomes
from chassis.relay.low_watermark import LowWatermarks

SHARD_ROWS_MAX = 128
"""Rows of one shard in a batch."""
SHARD_BYTES_MAX = 1024 * 1024
"""Bytes of one shard in a batch. The last row may start below the limit and end above it."""
ACK_SECONDS_MAX = 2.5
PROOF_SECONDS_MAX = 1.0
"""Rows are published only if the session was proven alive within this time."""
IN_DOUBT_SECONDS = 5.0
"""A record without an ack may still arrive for this long: longer than the producer's own time-out."""

# A full poll starts at the lowest id. Under a held snapshot it reads all rows that were deleted since: half a
# second for 300,000 rows, and every row waits for it. With more than one row in two hundred p99 would show
# it. Rows that are held back justify more full polls.
FULL_POLL_SECONDS = 30.0
FULL_POLL_WITH_HOLDS_SECONDS = 5.0
FULL_POLL_SHARE_MAX = 0.005
"""Largest part of a relay's time that is spent in full polls."""
FULL_POLL_WITH_HOLDS_SHARE_MAX = 0.05

# Never a plain `id > last`: `LowWatermarks` has the proof. Rows beyond a shard's bytes come in the next
# batch.
_UNSENT = """
SELECT shard, id, topic, key, value, headers FROM (
    SELECT oldest.*, sum(octet_length(value)) OVER before AS bytes_before
    FROM unnest($1::smallint[], $2::bigint[]) AS own (shard, low_watermark)
    CROSS JOIN LATERAL (
        SELECT outbox.shard, id, topic, key, value, headers FROM outbox
        WHERE outbox.shard = own.shard AND id > own.low_watermark AND topic <> ALL ($3::text[])
            AND (topic, key) NOT IN (SELECT * FROM unnest($4::text[], $5::bytea[]))
        ORDER BY id LIMIT $6
    ) AS oldest
    WINDOW before AS (PARTITION BY oldest.shard ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) AS batch
WHERE coalesce(bytes_before, 0) < $7
ORDER BY shard, id
"""

_SENT = """
DELETE FROM outbox USING unnest($1::smallint[], $2::bigint[]) AS sent (shard, id)
WHERE outbox.shard = sent.shard AND outbox.id = sent.id
"""

_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# Both statements use the primary key. A plan made while the table was empty would read the whole table as
# long as the session lasts, and the planner's statistics do not count deleted rows.
PLAN_SETTINGS = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


class RecordProducer(Protocol):
    """The methods of `chassis.kafka.producer.Producer` that a publisher uses."""

    async def led(self, topics: Collection[str]) -> set[str]:
        """Return the topics that have leaders, and so can be written to. Raise if no broker answers."""
        ...

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        """Send records, in order per ordering key. Return None (acknowledged) or the error for each."""
        ...


class Publisher:
    """Publishes the rows of shards.

    Args:
        session: owns the shards. All statements run on this session.
        producer: sends the records.
    """

    def __init__(self, session: Session, producer: RecordProducer) -> None:
        self.holds = Holds()
        self._session = session
        self._producer = producer
        self._watermarks = LowWatermarks()
        self._led: set[str] = set()
        self._full_poll_at = float("-inf")
        self._full_poll_seconds = 0.0
        self._in_doubt_until = 0.0

    @property
    def in_doubt(self) -> bool:
        """Return True while a record without an ack may still arrive."""
        return time.monotonic() < self._in_doubt_until

    async def raise_watermarks(self) -> None:
        """Raise the low watermarks as far as can be proven. Call it often, between two batches."""
        if not self._watermarks.can_rise:
            return
        rows = await self._session.fetch(_WRITERS)
        self._watermarks.record_writers({row["virtualtransaction"] for row in rows})

    async def publish_batch(self, shards: Sequence[int]) -> int:
        """Publish the oldest rows of these shards and delete those that the broker acknowledged.

        Returns:
            how many rows were deleted.

        Raises:
            BrokerUnavailableError: no broker answers. The rows remain.
            asyncpg.PostgresError, asyncpg.InterfaceError: the session ended, and owns no shards any more.
        """
        polled_at = time.monotonic()
        rows = await self._poll(shards)
        await self._hold_back_topics_without_leader({row["topic"] for row in rows})
        rows = [row for row in rows if row["topic"] not in self.holds.topics]
        if not rows:
            return 0
        proven_at = await self._prove_ownership(polled_at)
        records = [to_record(row) for row in rows]
        outcomes = await self._publish(records, proven_at + ACK_SECONDS_MAX - time.monotonic())
        result = classify_outcomes(records, outcomes)
        await self._delete([rows[position] for position in result.sent])
        self._hold_back(result)
        return len(result.sent)

    async def _poll(self, shards: Sequence[int]) -> list[asyncpg.Record]:
        began = time.monotonic()
        is_full = began - self._full_poll_at >= self._seconds_between_full_polls()
        if is_full:
            self.holds.clear()
            self._watermarks.reset()
            self._full_poll_at = began
        rows = await self._session.fetch(
            _UNSENT,
            shards,
            self._watermarks.of(shards),
            list(self.holds.topics),
            [topic for topic, _ in self.holds.keys],
            [key for _, key in self.holds.keys],
            SHARD_ROWS_MAX,
            SHARD_BYTES_MAX,
        )
        lowest: dict[int, int] = {}
        for row in rows:
            lowest.setdefault(row["shard"], row["id"])
        highest = max((row["id"] for row in rows), default=0)
        self._watermarks.record_poll(shards, lowest, highest)
        if is_full:
            self._full_poll_seconds = time.monotonic() - began
        return rows

    def _seconds_between_full_polls(self) -> float:
        if self.holds:  # a full poll tries them again
            seconds, share_max = FULL_POLL_WITH_HOLDS_SECONDS, FULL_POLL_WITH_HOLDS_SHARE_MAX
        else:
            seconds, share_max = FULL_POLL_SECONDS, FULL_POLL_SHARE_MAX
        return max(seconds, self._full_poll_seconds / share_max)

    async def _hold_back_topics_without_leader(self, topics: set[str]) -> None:
        # A record of such a topic would make all others wait in the producer, for its metadata.
        unknown = topics - self._led
        if not unknown:
            return
        led = await self._producer.led(unknown)
        self._led |= led
        for topic in unknown - led:
            self.holds.hold_topic(topic, "it does not exist or has no leader; create it")

    async def _prove_ownership(self, polled_at: float) -> float:
        """Return a time, at most `PROOF_SECONDS_MAX` ago, at which the session was alive.

        A live session has held its locks since it took them, so no other relay has sent these rows. A process
        that was stopped after its poll finds here that its session ended.
        """
        proven_at = polled_at
        while time.monotonic() - proven_at > PROOF_SECONDS_MAX:
            proven_at = time.monotonic()
            await self._session.execute("SELECT 1")
        return proven_at

    async def _publish(
        self, records: Sequence[OutgoingRecord], seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        return await self._producer.send_all(records, ack_seconds_max=seconds_max)

    async def _delete(self, rows: Sequence[asyncpg.Record]) -> None:
        if rows:
            await self._session.execute(_SENT, [row["shard"] for row in rows], [row["id"] for row in rows])

    def _hold_back(self, result: BatchResult) -> None:
        for key, reason in result.refused.items():
            self.holds.hold_key(key, reason)
        for topic, reason in result.unanswered.items():
            self._led.discard(topic)
            self.holds.hold_topic(topic, reason)
            self._in_doubt_until = time.monotonic() + IN_DOUBT_SECONDS


def to_record(row: asyncpg.Record) -> OutgoingRecord:
    """Return the Kafka record of an outbox row."""
    return OutgoingRecord(row["topic"], row["key"], row["value"], unpack_headers(row["headers"]))
