"""Records that were deleted before this group read them: logged, counted, recorded.

Until a lost range is recorded in the database, offsets of its partition are not committed. A process that
dies in between finds the same range again; what is recorded twice has one identity.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

from chassis.consuming.metrics import ConsumerMetrics
from chassis.consuming.partition_queue import Place
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection, Database
from contracts.dead_letters import MessagesLost

_log = get_logger(__name__)

SHOWN_MAX = 3
"""So many of the newest losses stand in the detail of readiness."""


class LossStore(Protocol):
    """Where a service records what it never read."""

    async def record_loss(self, connection: Connection, lost: MessagesLost) -> None:
        """Record a range, inside the caller's transaction; the same range again changes nothing."""
        ...


class Losses:
    """The ranges that one consumer found deleted.

    Args:
        store: where they are recorded.
        database: in whose transactions.
        metrics: counts the offsets of lost ranges by topic, from 0 on.
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
        """Let the counts of these topics begin at 0."""
        self._metrics.expect_losses(topics)

    def notice(self, place: Place, first: int, beyond: int) -> None:
        """Take a lost range over: the offsets from `first` up to, not including, `beyond`."""
        topic, partition = place
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

    async def record(self) -> None:
        """Record what was noticed, in one transaction. What fails is tried again at the next call."""
        if not self._unrecorded:
            return
        recorded = list(self._unrecorded)
        try:
            async with self._database.transaction() as connection:
                for lost in recorded:
                    await self._store.record_loss(connection, lost)
        except Exception as error:  # noqa: BLE001 - whatever it was, the offsets do not pass
            _log.warning(
                "lost records not recorded yet; their partitions commit nothing", error=loggable(error)
            )
        else:
            del self._unrecorded[: len(recorded)]

    def committable(self, offsets: Mapping[Place, int]) -> dict[Place, int]:
        """Return the offsets that may be committed: those of partitions without an unrecorded loss."""
        blocked = {(lost.topic, lost.partition) for lost in self._unrecorded}
        return {place: offset for place, offset in offsets.items() if place not in blocked}

    @property
    def detail(self) -> str:
        """The newest losses since this process began, in a line; empty where there are none."""
        if not self._newest:
            return ""
        return f"records deleted before they were read, offsets of {', '.join(self._newest)}"
