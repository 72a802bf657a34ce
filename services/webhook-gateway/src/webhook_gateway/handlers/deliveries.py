"""Handles one delivery: verify, parse, identify, publish (GW-2); accepted on the broker's ack (GW-3)."""

from datetime import datetime

import msgspec

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.producer import Producer
from contracts.reasons import RefusalReason
from webhook_gateway.domain import flag_table
from webhook_gateway.domain.document import find_challenge, read_document
from webhook_gateway.domain.flag_table import AcceptedDelivery, Refusal
from webhook_gateway.domain.identity import EventIdentity, SignedFacts, identify
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
    """Decides about deliveries and publishes the accepted ones.

    Args:
        producer: publishes accepted deliveries.
        validation_enabled: ENABLE_WEBHOOK_VALIDATION.
        ack_seconds_max: how long to wait for the broker's ack.
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

    async def handle(self, delivery: Delivery) -> AcceptedDelivery | Refusal:
        """Return `AcceptedDelivery` if and only if the broker has acknowledged the record."""
        source = delivery.source
        signature = verify(
            delivery.headers, delivery.body, source.accepted, delivery.received_at, delivery.query
        )
        result = flag_table.classify(
            signature, validation_enabled=self._validation_enabled, always_verified=source.always_verified
        )
        if isinstance(result, Refusal):
            return result
        document = read_document(delivery.body, delivery.headers, source.outline, forms=source.forms)
        if isinstance(document, Refused):
            return self._refuse(document.reason)
        identity = _identity(delivery, document, signature)
        if isinstance(identity, Refused):
            return self._refuse(identity.reason)
        if source.answers_challenge:
            result = msgspec.structs.replace(result, challenge=find_challenge(document))
        return await self._publish(delivery, document.media_type, identity, result)

    async def _publish(
        self, delivery: Delivery, media_type: str, identity: EventIdentity, accepted: AcceptedDelivery
    ) -> AcceptedDelivery | Refusal:
        record = accepted_record(
            delivery.source.name,
            identity,
            accepted.verification,
            body=delivery.body,
            media_type=media_type,
            received_at=delivery.received_at,
        )
        try:
            await self._producer.send(record, ack_seconds_max=self._ack_seconds_max)
        except BrokerUnavailableError:
            return self._refuse(RefusalReason.BROKER_UNAVAILABLE)
        return accepted

    def _refuse(self, reason: RefusalReason) -> Refusal:
        return flag_table.refuse(reason, validation_enabled=self._validation_enabled)


def _identity(
    delivery: Delivery, document: Document, signature: Verified | Refused
) -> EventIdentity | Refused:
    signed = (
        SignedFacts(signature.signed_at, signature.message_id)
        if isinstance(signature, Verified)
        else SignedFacts()
    )
    source = delivery.source
    return identify(document, delivery.body, source.identity, source.name, signed, delivery.headers)
