"""A replica of the relay: shards with one owner each, rows removed after the broker's acknowledgement."""

from zlib import crc32

from chassis.messages import Message
from simulation import store as db
from simulation.kafka import Kafka
from simulation.scheduler import Process, Scheduler, Sleeps

SHARDS = 3
ROWS_MAX = 4
SILENT_SECONDS_MAX = 4.0
"""The server ends the session of a relay that says nothing for so long, and with it its locks."""
POLL_SECONDS = (0.05, 0.2, 0.5)


class Relay:
    owners: "list[Relay | None]"

    def __init__(
        self, scheduler: Scheduler, kafka: Kafka, store: db.Store, owners: "list[Relay | None]"
    ) -> None:
        self.scheduler, self.kafka, self.store, self.owners = scheduler, kafka, store, owners
        self.process = Process(self._run)
        self.used_at = 0.0

    def _run(self) -> Sleeps:
        idle = 0
        try:
            while True:
                moved = yield from self._move()
                idle = 0 if moved else min(idle + 1, len(POLL_SECONDS) - 1)
                yield POLL_SECONDS[idle]
        finally:  # its session ends with it
            self._lose_shards()

    def _move(self) -> "db.Generator[float, None, bool]":
        """Publish the oldest rows of the shards owned. Those not acknowledged, and the later ones of their
        key, are sent again: the last copies stand in order on the topic."""
        if not self._holds_session():
            self._lose_shards()
        if self.store.weather.has("outage", self.scheduler.now):
            self._lose_shards()
            return False
        self._take_shards()
        rows = sorted(self._unsent())[:ROWS_MAX]
        self.used_at = self.scheduler.now
        if not rows:
            return False
        yield self.store.rng.random() * db.LATENCY_SECONDS_MAX
        if not self._holds_session():  # stopped meanwhile: the rows are another's
            return False
        acknowledged = self._send(rows)
        yield self.store.rng.random() * db.LATENCY_SECONDS_MAX
        if self._holds_session() and not self.store.weather.has("outage", self.scheduler.now):
            for row_id in acknowledged:
                self.store.outbox.pop(row_id, None)
        return True

    def _unsent(self) -> list[tuple[int, Message]]:
        mine = [shard for shard, owner in enumerate(self.owners) if owner is self]
        return [row for row in self.store.outbox.items() if crc32(row[1].key) % SHARDS in mine]

    def _send(self, rows: list[tuple[int, Message]]) -> list[int]:
        acknowledged: list[int] = []
        held: set[bytes] = set()
        for row_id, message in rows:
            arrives, is_answered = not self.store.mishap(), not self.store.mishap()
            if arrives:
                self.kafka.published.append(message)
            if not (arrives and is_answered):
                held.add(message.key)
            elif message.key not in held:
                acknowledged.append(row_id)
        return acknowledged

    def _take_shards(self) -> None:
        for shard, owner in enumerate(self.owners):
            if owner is None or not owner._holds_session():
                self.owners[shard] = self

    def _holds_session(self) -> bool:
        return self.scheduler.now - self.used_at <= SILENT_SECONDS_MAX

    def _lose_shards(self) -> None:
        self.owners[:] = [None if owner is self else owner for owner in self.owners]
