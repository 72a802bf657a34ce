"""Taking one delivery: verify, parse, identify, publish (GW-2). Good only once the broker has it (GW-3)."""

import time
from dataclasses import dataclass
from datetime import datetime

from chassis.kafka import BrokerUnavailableError, Producer
from contracts.reasons import RefusalReason
from webhook_gateway.domain import policy, strict_json
from webhook_gateway.domain.identity import Identity, SignedFacts, identify
from webhook_gateway.domain.policy import Passed, Refusal
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import Source
from webhook_gateway.domain.verification import Verified, verify
from webhook_gateway.handlers.observations import Observations
from webhook_gateway.handlers.records import Headers, accepted_record


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request of a configured source, as received."""

    source: Source
    headers: Headers
    body: bytes
    received_at: datetime


class DeliveryHandler:
    """Takes deliveries.

    Args:
        producer: where accepted ones go.
        observations: the gateway's metrics.
        validation_enabled: ENABLE_WEBHOOK_VALIDATION.
        ack_seconds_max: how long the broker may take.
    """

    def __init__(
        self,
        producer: Producer,
        observations: Observations,
        *,
        validation_enabled: bool,
        ack_seconds_max: float,
    ) -> None:
        self._producer = producer
        self._observations = observations
        self._validation_enabled = validation_enabled
        self._ack_seconds_max = ack_seconds_max

    async def handle(self, delivery: Delivery) -> Passed | Refusal:
        """`Passed` if and only if the broker has acknowledged the record."""
        source = delivery.source
        verdict = verify(delivery.headers, delivery.body, source.accepted, delivery.received_at)
        judged = policy.judge(
            verdict, validation_enabled=self._validation_enabled, always_verified=source.always_verified
        )
        if isinstance(judged, Refusal):
            return judged
        identity = _identity(delivery, verdict)
        if isinstance(identity, Refused):
            return self._refuse(identity.reason)
        return await self._publish(delivery, identity, judged)

    async def _publish(self, delivery: Delivery, identity: Identity, passed: Passed) -> Passed | Refusal:
        record = accepted_record(
            delivery.source.name,
            identity,
            passed.verification,
            body=delivery.body,
            received_at=delivery.received_at,
        )
        sent_at = time.monotonic()
        try:
            await self._producer.send(record, ack_seconds_max=self._ack_seconds_max)
        except BrokerUnavailableError:
            return self._refuse(RefusalReason.BROKER_UNAVAILABLE)
        self._observations.ack_seconds.observe(time.monotonic() - sent_at)
        return passed

    def _refuse(self, reason: RefusalReason) -> Refusal:
        return policy.refuse(reason, validation_enabled=self._validation_enabled)


def _identity(delivery: Delivery, verdict: Verified | Refused) -> Identity | Refused:
    document = strict_json.parse(delivery.body)
    if isinstance(document, Refused):
        return document
    signed = (
        SignedFacts(verdict.signed_at, verdict.message_id) if isinstance(verdict, Verified) else SignedFacts()
    )
    return identify(document, delivery.body, delivery.source.identity, delivery.source.name, signed)
