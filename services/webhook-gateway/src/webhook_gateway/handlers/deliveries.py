"""Taking one delivery: verify, parse, identify, publish (GW-2). Good only once the broker has it (GW-3)."""

from datetime import datetime

import msgspec

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.producer import Producer
from contracts.reasons import RefusalReason
from webhook_gateway.domain import policy
from webhook_gateway.domain.document import find_challenge, read_document
from webhook_gateway.domain.identity import Identity, SignedFacts, identify
from webhook_gateway.domain.policy import Passed, Refusal
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import Source
from webhook_gateway.domain.strict_json import Document
from webhook_gateway.domain.verification import Verified, verify
from webhook_gateway.handlers.records import Headers, accepted_record


class Delivery(msgspec.Struct, frozen=True):
    """One HTTP request of a configured source, as received."""

    source: Source
    headers: Headers
    body: bytes
    received_at: datetime
    query: bytes = b""


class DeliveryHandler:
    """Takes deliveries.

    Args:
        producer: where accepted ones go.
        validation_enabled: ENABLE_WEBHOOK_VALIDATION.
        ack_seconds_max: how long the broker may take.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        validation_enabled: bool,
        ack_seconds_max: float,
    ) -> None:
        self._producer = producer
        self._validation_enabled = validation_enabled
        self._ack_seconds_max = ack_seconds_max

    async def handle(self, delivery: Delivery) -> Passed | Refusal:
        """`Passed` if and only if the broker has acknowledged the record."""
        source = delivery.source
        verdict = verify(
            delivery.headers, delivery.body, source.accepted, delivery.received_at, delivery.query
        )
        judged = policy.judge(
            verdict, validation_enabled=self._validation_enabled, always_verified=source.always_verified
        )
        if isinstance(judged, Refusal):
            return judged
        document = read_document(delivery.body, delivery.headers, source.outline, forms=source.forms)
        if isinstance(document, Refused):
            return self._refuse(document.reason)
        identity = _identity(delivery, document, verdict)
        if isinstance(identity, Refused):
            return self._refuse(identity.reason)
        if source.answers_challenge:
            judged = msgspec.structs.replace(judged, challenge=find_challenge(document))
        return await self._publish(delivery, document.media_type, identity, judged)

    async def _publish(
        self, delivery: Delivery, media_type: str, identity: Identity, passed: Passed
    ) -> Passed | Refusal:
        record = accepted_record(
            delivery.source.name,
            identity,
            passed.verification,
            body=delivery.body,
            media_type=media_type,
            received_at=delivery.received_at,
        )
        try:
            await self._producer.send(record, ack_seconds_max=self._ack_seconds_max)
        except BrokerUnavailableError:
            return self._refuse(RefusalReason.BROKER_UNAVAILABLE)
        return passed

    def _refuse(self, reason: RefusalReason) -> Refusal:
        return policy.refuse(reason, validation_enabled=self._validation_enabled)


def _identity(delivery: Delivery, document: Document, verdict: Verified | Refused) -> Identity | Refused:
    signed = (
        SignedFacts(verdict.signed_at, verdict.message_id) if isinstance(verdict, Verified) else SignedFacts()
    )
    source = delivery.source
    return identify(document, delivery.body, source.identity, source.name, signed, delivery.headers)
