"""The FastStream broker as a component of a service."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from chassis.consuming import Consumer
from chassis.kafka.connection import (
    METADATA_AGE_MILLISECONDS_MAX,
    REQUEST_MILLISECONDS_MAX,
    STOP_SECONDS_MAX,
    KafkaConnection,
)
from chassis.process.health import Check

LEAVE_SECONDS_MAX = 5.0
"""To leave the group. A member that does not leave keeps its partitions until its session ends."""


class Consumers:
    """Starts a broker with its consumers, and stops it after the batches in flight.

    Args:
        broker: from `build_broker`, with the consumers subscribed.
        consumers: their failures are shown by readiness.
    """

    name = "consumers"

    def __init__(self, broker: KafkaBroker, consumers: Sequence[Consumer]) -> None:
        self._broker = broker
        self._consumers = consumers

    async def start(self) -> None:
        """Connect and join the group. Raise if no broker answers."""
        try:
            await self._broker.start()
        except BaseException:
            await self._broker.stop()
            raise
        for consumer in self._consumers:
            await consumer.start()

    async def stop(self) -> None:
        """Finish and commit the batches in flight, then leave the group, also if a batch takes too long."""
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


def build_broker(connection: KafkaConnection, *, client_id: str) -> KafkaBroker:
    """Build the FastStream broker for a service's consumers. It only consumes: `Producer` sends.

    FastStream's own defaults are at-most-once. `Consumer.subscribe` states each delivery option again,
    because a router's subscriber does not inherit the options of the broker.
    """
    options = dict(connection.options)
    return KafkaBroker(
        connection.bootstrap.split(","),
        client_id=client_id,
        consumer_only=True,
        allow_auto_create_topics=False,
        ack_policy=AckPolicy.MANUAL,
        apply_types=False,
        request_timeout_ms=REQUEST_MILLISECONDS_MAX * 3,
        metadata_max_age_ms=METADATA_AGE_MILLISECONDS_MAX,
        graceful_timeout=STOP_SECONDS_MAX,
        logger=None,
        security=_security(options),
    )


def _security(options: Mapping[str, Any]) -> Any:
    use_ssl = "ssl_context" in options
    if "sasl_mechanism" not in options:
        return BaseSecurity(ssl_context=options["ssl_context"], use_ssl=True) if use_ssl else None
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[options["sasl_mechanism"]](
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        ssl_context=options.get("ssl_context"),
        use_ssl=use_ssl,
    )
