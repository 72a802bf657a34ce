"""Partitions that Kafka serves and this process cannot read on: a consumer that is alive and does nothing."""

import time
from typing import Any

from chassis.consuming.reading import positions_of

STALLED_SECONDS_MAX = 30.0
"""More than a rebalance or a slow broker takes."""

_UNKNOWN = -1


class StallWatch:
    """Remembers since when each partition stands still although there is more to read.

    Args:
        seconds_max: a partition that stands still for longer is reported.
    """

    def __init__(self, *, seconds_max: float = STALLED_SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        self._since: dict[Any, tuple[int, float]] = {}

    def stalled(self, consumer: Any) -> str:
        """Name a partition that has not moved for too long, and why; empty when all move.

        Args:
            consumer: aiokafka's. Its position passes the markers of transactions and aborted records, so what
                stands on them alone is not behind.
        """
        now = time.monotonic()
        behind: dict[Any, tuple[int, float]] = {}
        positions = positions_of(consumer)
        for partition in consumer.assignment() - consumer.paused():
            position = positions.get(partition, _UNKNOWN)
            if position < (consumer.highwater(partition) or 0):
                known = self._since.get(partition)
                behind[partition] = known if known and known[0] == position else (position, now)
        self._since = behind
        for partition, (position, since) in behind.items():
            if now - since > self._seconds_max:
                return _describe(consumer, partition, position)
        return ""


def _describe(consumer: Any, partition: Any, position: int) -> str:
    where = f"{partition.topic}/{partition.partition}"
    if position != _UNKNOWN and position == consumer.last_stable_offset(partition):
        return (
            f"{where} cannot be read from offset {position} on: a transaction has been open there for more"
            " than its readers can wait; find its producer with `kafka-transactions.sh find-hanging`"
        )
    return f"{where} cannot be read from offset {position} on"
