"""Entries of records. Every record becomes an entry, whatever bytes it holds."""

from audit.domain.entries import OUT_OF_PLACE, UNREADABLE, Entry, entry_of, lost_entry, unreadable_entry
from audit.domain.events import AUDIT, Event, Origin
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from chassis.observability.trace_context import trace_id
from contracts.dead_letters import MessagesLost
from contracts.metadata import ORIGIN_HEADER, SWEEP_ORIGIN, VERIFICATION_HEADER
from contracts.provenance import misplacement
from contracts.stripe_events import JsonObjectError, NotApplied, StripeWorld, read_envelope
from contracts.topics import WEBHOOKS_STRIPE

_VERIFICATIONS = {b"verified": "verified", b"unverified": "unverified"}
_ORIGINS = {SWEEP_ORIGIN: SWEEP_ORIGIN.decode()}


def read_entry(message: Message, world: StripeWorld) -> Entry:
    """Return the entry of a message, or the entry that reports it as unreadable."""
    try:
        metadata = message.metadata
    except MalformedMessageError as error:
        return unreadable(message, str(error))
    if metadata.source == AUDIT:
        return unreadable(message, f"a message claims to come from {AUDIT}, which sends none of these")
    traceparent = message.traceparent
    if problem := misplacement(message.topic, metadata, message.headers):
        return unreadable(message, problem, event_type=OUT_OF_PLACE)
    headers = dict(message.headers)
    event = Event(
        id=metadata.id,
        source=metadata.source,
        type=metadata.type,
        time=metadata.time,
        subject=metadata.subject,
        sequence=metadata.sequence,
        correlation_id=metadata.correlation_id,
        causation_id=metadata.causation_id,
        verification=_VERIFICATIONS.get(headers.get(VERIFICATION_HEADER, b"")),
        body=message.value,
        not_applied=_not_applied(message, world),
        trace_id=trace_id(traceparent) if traceparent else None,
        found_by=_ORIGINS.get(headers.get(ORIGIN_HEADER, b"")),
    )
    return entry_of(event, _origin(message))


def _not_applied(message: Message, world: StripeWorld) -> NotApplied | None:
    """Return why a Stripe event is not applied, by the same rule as in booking (BK-7a, BK-7b)."""
    if message.topic != WEBHOOKS_STRIPE.name:
        return None
    try:
        return world.not_applied(read_envelope(message.value))
    except JsonObjectError:
        return None


def unreadable(message: Message, error: str, *, event_type: str = UNREADABLE) -> Entry:
    """Return the entry of a record that is no event, or could not be recorded as one."""
    return unreadable_entry(
        _origin(message),
        error=error,
        key=message.key,
        value=message.value,
        headers=message.headers,
        event_type=event_type,
    )


def expired(lost: MessagesLost) -> Entry:
    """Return the entry of records that were deleted before this service read them."""
    origin = Origin(lost.topic, lost.partition, lost.first_offset)
    return lost_entry(origin, group=lost.group, last_offset=lost.last_offset)


def _origin(message: Message) -> Origin:
    return Origin(message.topic, message.partition, message.offset)
