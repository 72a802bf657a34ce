"""Partitions that Kafka serves and this process cannot read on: a consumer that is alive and does nothing."""

import time
from typing import Any

STALLED_SECONDS_MAX = 30.0
"""More than a rebalance or a slow broker takes."""


class StallWatch:
    """Remembers since when each partition stands still although there is more to read."""

    def __init__(self) -> None:
        self._since: dict[Any, tuple[int, float]] = {}

    async def stalled(self, consumer: Any) -> str:
        """Names a partition that has not moved for too long, and where; empty when all move.

        Args:
            consumer: aiokafka's.
        """
        now = time.monotonic()
        behind: dict[Any, tuple[int, float]] = {}
        for partition in consumer.assignment() - consumer.paused():
            position = await consumer.position(partition)
            if position < (consumer.highwater(partition) or 0):
                known = self._since.get(partition)
                behind[partition] = known if known and known[0] == position else (position, now)
        self._since = behind
        for partition, (position, since) in behind.items():
            if now - since > STALLED_SECONDS_MAX:
                return f"{partition.topic}/{partition.partition} cannot be read from offset {position} on"
        return ""
