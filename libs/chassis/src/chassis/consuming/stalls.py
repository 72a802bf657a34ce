"""Detect partitions that have more records but cannot be read further."""

import time
from typing import Any

from chassis.consuming.polling import positions_of

STALLED_SECONDS_MAX = 30.0
"""Longer than a rebalance or a slow broker takes."""

_UNKNOWN = -1


class StallWatch:
    """Remembers since when the position of each partition has not moved although there are more records.

    Args:
        seconds_max: a partition that has not moved for longer is reported.
    """

    def __init__(self, *, seconds_max: float = STALLED_SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        self._since: dict[Any, tuple[int, float]] = {}

    def stalled(self, consumer: Any) -> str:
        """Return in words a partition that has not moved for too long, and why; empty if all move.

        Args:
            consumer: of aiokafka. Its position passes transaction markers and aborted records, so a partition
                with nothing else is not behind.
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
    name = f"{partition.topic}/{partition.partition}"
    if position != _UNKNOWN and position == consumer.last_stable_offset(partition):
        return (
            f"{name} cannot be read from offset {position} on: a transaction there has been open for longer"
            " than readers can wait; find its producer with `kafka-transactions.sh find-hanging`"
        )
    return f"{name} cannot be read from offset {position} on"
