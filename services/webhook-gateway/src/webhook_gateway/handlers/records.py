"""Builds the Kafka records of accepted deliveries and refusals (GW-9, GW-10)."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from chassis import clock
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.observability import trace_context
from contracts.catalogue import CARD_BY_MODEL
from contracts.metadata import VERIFICATION_HEADER, MessageMetadata
from contracts.topics import webhook_topic
from contracts.webhooks import WebhookRefusalsSuppressed, WebhookValidationFailed
from contracts.wire import WireModel
from webhook_gateway.domain.flag_table import Refusal, Verification
from webhook_gateway.domain.identity import EventIdentity
from webhook_gateway.domain.refusal_budget import WINDOW_SECONDS, Suppressed
from webhook_gateway.settings import SERVICE

HEADER_NAMES_MAX = 64
PATH_CHARACTERS_MAX = 256

# As in an ASGI scope: lower-case names, values as received.
Headers = Sequence[tuple[bytes, bytes]]


class RefusedRequest(msgspec.Struct, frozen=True):
    """A refused request; `body` holds the bytes that were read."""

    source: str
    path: str
    remote_address: str
    headers: Headers
    body: bytes
    received_at: datetime


def accepted_record(
    source: str,
    identity: EventIdentity,
    verification: Verification,
    *,
    body: bytes,
    media_type: str,
    received_at: datetime,
) -> OutgoingRecord:
    """Return the record of an accepted delivery: the body exactly as received.

    Its subject is the booking's id (a UUID), else the provider's object id.
    """
    metadata = MessageMetadata(
        id=identity.event_id,
        source=f"/webhooks/{source}",
        type=f"{source}.{identity.type}",
        time=identity.occurred_at or received_at,
        subject=identity.booking_id or identity.object_id,
        correlation_id=identity.event_id,
        traceparent=trace_context.current() or trace_context.new(),
        content_type=media_type,
    )
    verified = (VERIFICATION_HEADER, verification.value.encode())
    return OutgoingRecord(
        topic=webhook_topic(source).name,
        key=identity.key.encode(),
        value=body,
        headers=(*metadata.to_headers(), verified),
    )


def refusal_record(refusal: Refusal, request: RefusedRequest) -> OutgoingRecord:
    """Return the record of one refusal: digest and size of the body, names of the headers."""
    names = sorted({name.decode("latin-1") for name, _ in request.headers})
    failed = WebhookValidationFailed(
        source=request.source,
        reason=refusal.reason,
        path=request.path[:PATH_CHARACTERS_MAX],
        remote_address=request.remote_address,
        header_names=names[:HEADER_NAMES_MAX],
        body_sha256=hashlib.sha256(request.body).hexdigest(),
        body_bytes=len(request.body),
        received_at=request.received_at,
    )
    return _own_record(failed, request.source, request.received_at)


def suppression_record(suppressed: Suppressed, now: datetime) -> OutgoingRecord:
    """Return the summary of a window in which more was refused than is published one by one."""
    summary = WebhookRefusalsSuppressed(
        source=suppressed.source,
        remote_address=suppressed.remote_address,
        suppressed=sum(suppressed.by_reason.values()),
        by_reason={reason.value: count for reason, count in sorted(suppressed.by_reason.items())},
        window_started_at=suppressed.window_started_at,
        window_seconds=WINDOW_SECONDS,
    )
    return _own_record(summary, suppressed.source, now)


def _own_record(payload: WireModel, source: str, at: datetime) -> OutgoingRecord:
    card = CARD_BY_MODEL[type(payload)]
    metadata = MessageMetadata(
        id=clock.new_id(),
        source=SERVICE,
        type=card.event_type,
        time=at,
        subject=source,
        traceparent=trace_context.current() or trace_context.new(),
    )
    return OutgoingRecord(card.topic.name, source.encode(), payload.to_bytes(), metadata.to_headers())
