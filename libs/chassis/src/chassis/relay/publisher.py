"""Moves outbox rows to Kafka: look, publish, delete what the broker has. One session, one batch at a time."""

import time
from collections.abc import Collection, Sequence
from typing import Protocol

import asyncpg

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.producer import OutgoingRecord
from chassis.messaging.message import unpack_headers
from chassis.postgres.database import Session
from chassis.relay.holds import Holds, Verdict, judge
from chassis.relay.low_watermark import Floors

SHARD_ROWS_MAX = 128
"""Rows of one shard in a batch."""
SHARD_BYTES_MAX = 1024 * 1024
"""Bytes of one shard in a batch, but for the last row, which may begin below the limit and end above it."""
ACK_SECONDS_MAX = 2.5
PROOF_SECONDS_MAX = 1.0
"""Rows are published only if the session was known to be alive this short a time ago."""
IN_DOUBT_SECONDS = 5.0
"""How long a record without an ack may still be on its way: longer than the producer's own time-out."""

START_OVER_SECONDS = 30.0
START_OVER_WITH_HOLDS_SECONDS = 5.0
START_OVER_SHARE_MAX = 0.005
START_OVER_WITH_HOLDS_SHARE_MAX = 0.05
"""Of a relay's time, at most this part goes into looks from the lowest id. Under a held snapshot such a look
walks over all that was deleted since, half a second for 300,000 rows, and every row waits for it: more often
than one in two hundred, and p99 shows it. Rows that are held back are worth more."""

# Never a bare `id > last`: `Floors` has the proof. Of a shard with too many bytes the tail is left.
_UNSENT = """
SELECT shard, id, topic, key, value, headers FROM (
    SELECT oldest.*, sum(octet_length(value)) OVER before AS bytes_before
    FROM unnest($1::smallint[], $2::bigint[]) AS own (shard, floor)
    CROSS JOIN LATERAL (
        SELECT outbox.shard, id, topic, key, value, headers FROM outbox
        WHERE outbox.shard = own.shard AND id > own.floor AND topic <> ALL ($3::text[])
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

PLAN_SETTINGS = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Both statements go through the primary key. A plan made while the table was empty would read all of it
for as long as the session lasts, and planner's statistics do not count deleted rows."""


class Publisher(Protocol):
    """What an outlet asks of `chassis.kafka.producer.Producer`."""

    async def led(self, topics: Collection[str]) -> set[str]:
        """Those of these topics that can be written to now; raises if no broker answers."""
        ...

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        """For each record whether the broker has it (None) or why not; order per topic and key is kept."""
        ...


class Outlet:
    """The way out for the rows of some shards.

    Args:
        session: that owns the shards, and on which everything happens.
        publisher: where the rows go.
    """

    def __init__(self, session: Session, publisher: Publisher) -> None:
        self.holds = Holds()
        self._session = session
        self._publisher = publisher
        self._floors = Floors()
        self._led: set[str] = set()
        self._started_over_at = float("-inf")
        self._full_look_seconds = 0.0
        self._in_doubt_until = 0.0

    @property
    def in_doubt(self) -> bool:
        """Whether a record may still be on its way for which no ack came."""
        return time.monotonic() < self._in_doubt_until

    async def settle(self) -> None:
        """Let the floors rise: call it often, between two batches; where nothing can rise it asks nothing."""
        if not self._floors.can_rise:
            return
        rows = await self._session.fetch(_WRITERS)
        self._floors.settle({row["virtualtransaction"] for row in rows})

    async def move(self, shards: Sequence[int]) -> int:
        """Publish the oldest rows of these shards and delete those the broker has. Returns how many.

        Raises:
            BrokerUnavailableError: no broker answers; the rows stay.
            asyncpg.PostgresError, asyncpg.InterfaceError: the session is gone, and its shards with it.
        """
        asked_at = time.monotonic()
        rows = await self._look(shards)
        await self._hold_back_topics_without_leader({row["topic"] for row in rows})
        rows = [row for row in rows if row["topic"] not in self.holds.topics]
        if not rows:
            return 0
        proven_at = await self._prove_ownership(asked_at)
        records = [to_record(row) for row in rows]
        outcomes = await self._publish(records, proven_at + ACK_SECONDS_MAX - time.monotonic())
        verdict = judge(records, outcomes)
        await self._delete([rows[position] for position in verdict.sent])
        self._hold_back(verdict)
        return len(verdict.sent)

    async def _look(self, shards: Sequence[int]) -> list[asyncpg.Record]:
        began = time.monotonic()
        anew = began - self._started_over_at >= self._start_over_seconds()
        if anew:
            self.holds.clear()
            self._floors.reset()
            self._started_over_at = began
        rows = await self._session.fetch(
            _UNSENT,
            shards,
            self._floors.of(shards),
            list(self.holds.topics),
            [topic for topic, _ in self.holds.lines],
            [key for _, key in self.holds.lines],
            SHARD_ROWS_MAX,
            SHARD_BYTES_MAX,
        )
        lowest: dict[int, int] = {}
        for row in rows:
            lowest.setdefault(row["shard"], row["id"])
        self._floors.looked(shards, lowest, max((row["id"] for row in rows), default=0))
        if anew:
            self._full_look_seconds = time.monotonic() - began
        return rows

    def _start_over_seconds(self) -> float:
        """Between two looks from the lowest id, which try again what was held back."""
        if self.holds:
            seconds, share_max = START_OVER_WITH_HOLDS_SECONDS, START_OVER_WITH_HOLDS_SHARE_MAX
        else:
            seconds, share_max = START_OVER_SECONDS, START_OVER_SHARE_MAX
        return max(seconds, self._full_look_seconds / share_max)

    async def _hold_back_topics_without_leader(self, topics: set[str]) -> None:
        """Handing a record of such a topic to the producer would make all others wait for its metadata."""
        unknown = topics - self._led
        if not unknown:
            return
        led = await self._publisher.led(unknown)
        self._led |= led
        for topic in unknown - led:
            self.holds.hold_topic(topic, "it does not exist or has no leader; create it")

    async def _prove_ownership(self, asked_at: float) -> float:
        """When the session was last known to be alive, at most `PROOF_SECONDS_MAX` ago.

        A process that was stopped after its look finds out here that another one owns its shards. If the
        session is alive it has held them all the while, and nobody else has sent these rows.
        """
        while time.monotonic() - asked_at > PROOF_SECONDS_MAX:
            asked_at = time.monotonic()
            await self._session.execute("SELECT 1")
        return asked_at

    async def _publish(
        self, records: Sequence[OutgoingRecord], seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        return await self._publisher.send_all(records, ack_seconds_max=seconds_max)

    async def _delete(self, rows: Sequence[asyncpg.Record]) -> None:
        if rows:
            await self._session.execute(_SENT, [row["shard"] for row in rows], [row["id"] for row in rows])

    def _hold_back(self, verdict: Verdict) -> None:
        for line, why in verdict.refused.items():
            self.holds.hold_line(line, why)
        for topic, why in verdict.unanswered.items():
            self._led.discard(topic)
            self.holds.hold_topic(topic, why)
            self._in_doubt_until = time.monotonic() + IN_DOUBT_SECONDS


def to_record(row: asyncpg.Record) -> OutgoingRecord:
    """The Kafka record of an outbox row."""
    return OutgoingRecord(row["topic"], row["key"], row["value"], unpack_headers(row["headers"]))
