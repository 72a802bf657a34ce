"""The FastStream broker as a part of a service."""

import asyncio
from collections.abc import Sequence

from faststream.kafka import KafkaBroker

from chassis.consuming import Consumer
from chassis.process.health import Check

LEAVE_SECONDS_MAX = 5.0
"""For leaving the group; who does not leave keeps its partitions from the others until its session ends."""


class Consumers:
    """Starts a broker with its subscribers, and stops it after the batch in hand.

    Args:
        broker: from `chassis.kafka.build_broker`, its consumers subscribed.
        consumers: whose failures readiness shows.
    """

    name = "consumers"

    def __init__(self, broker: KafkaBroker, consumers: Sequence[Consumer]) -> None:
        self._broker = broker
        self._consumers = consumers

    async def start(self) -> None:
        """Connect and join the group; raises while no broker answers."""
        try:
            await self._broker.start()
        except BaseException:
            await self._broker.stop()
            raise
        for consumer in self._consumers:
            await consumer.start()

    async def stop(self) -> None:
        """Finish the batch in hand, commit it, leave the group: also when the batch outlasts the stop."""
        try:
            for consumer in self._consumers:
                await consumer.stop()
        finally:
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                await self._broker.stop()

    async def check(self) -> Check:
        """Return the first bad check, else the details of the good ones."""
        checks = [await consumer.check() for consumer in self._consumers]
        bad = next((check for check in checks if not check.ok), None)
        return bad or Check(ok=True, detail="; ".join(check.detail for check in checks if check.detail))
