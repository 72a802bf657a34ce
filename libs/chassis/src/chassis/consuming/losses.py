"""Records that were deleted before this group read them are logged, counted and recorded.

Until a lost range is recorded in the database, no offset of its partition is committed. If the process dies
in between, the next one finds the same range again. Recording a range twice has no effect.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

from chassis.consuming.metrics import ConsumerMetrics
from chassis.consuming.partition_queue import Partition
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection, Database
from contracts.dead_letters import MessagesLost

_log = get_logger(__name__)

SHOWN_MAX = 3
"""Readiness names so many of the newest losses."""


class LossStore(Protocol):
    """Records lost ranges of a service."""

    async def record_loss(self, connection: Connection, lost: MessagesLost) -> None:
        """Record a range, inside the caller's transaction; the same range again changes nothing."""
        ...


class Losses:
    """The lost ranges of one consumer.

    Args:
        store: records them.
        database: opens the transactions.
        metrics: counts the offsets of lost ranges by topic.
        consumer: the service's name.
        group: the consumer group, with the deployment's prefix.
    """

    def __init__(
        self, store: LossStore, database: Database, metrics: ConsumerMetrics, *, consumer: str, group: str
    ) -> None:
        self._store = store
        self._database = database
        self._metrics = metrics
        self._consumer = consumer
        self._group = group
        self._unrecorded: list[MessagesLost] = []
        self._newest: deque[str] = deque(maxlen=SHOWN_MAX)

    def watch(self, topics: Iterable[str]) -> None:
        """Let the counters of these topics start at 0."""
        self._metrics.expect_losses(topics)

    def add(self, where: Partition, first: int, beyond: int) -> None:
        """Add a lost range: the offsets from `first` up to, not including, `beyond`."""
        topic, partition = where
        _log.error(
            "records were deleted before they were read: the group was further behind than the topic keeps",
            topic=topic,
            partition=partition,
            first_offset=first,
            last_offset=beyond - 1,
            group=self._group,
        )
        self._metrics.lost(topic, beyond - first)
        self._newest.append(f"{topic}/{partition} {first} to {beyond - 1}")
        self._unrecorded.append(
            MessagesLost(
                consumer=self._consumer,
                group=self._group,
                topic=topic,
                partition=partition,
                first_offset=first,
                last_offset=beyond - 1,
                error="records were deleted before they were read",
            )
        )

    async def store(self) -> None:
        """Record the new ranges in one transaction. After a failure the next call tries again."""
        if not self._unrecorded:
            return
        recorded = list(self._unrecorded)
        try:
            async with self._database.transaction() as connection:
                for lost in recorded:
                    await self._store.record_loss(connection, lost)
        except Exception as error:  # noqa: BLE001 - whatever the error, no offset is committed
            _log.warning(
                "lost records not recorded yet; their partitions commit nothing", error=loggable(error)
            )
        else:
            del self._unrecorded[: len(recorded)]

    def committable(self, offsets: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return the offsets of partitions without an unrecorded loss."""
        blocked = {(lost.topic, lost.partition) for lost in self._unrecorded}
        return {key: offset for key, offset in offsets.items() if key not in blocked}

    @property
    def detail(self) -> str:
        """Return the newest losses since the start of the process in one line; empty if there are none."""
        if not self._newest:
            return ""
        return f"records deleted before they were read, offsets of {', '.join(self._newest)}"
