"""Events of Stripe's event list: what became of each, and the record that takes the place of its delivery."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.ids import booking_reference, id_or_digest
from contracts.metadata import (
    ORIGIN_HEADER,
    SWEEP_ORIGIN,
    VERIFICATION_HEADER,
    Headers,
    MessageMetadata,
)
from contracts.stripe_events import JsonObject, StripeEvent, member
from contracts.topics import WEBHOOKS_STRIPE
from reconciler.domain.sweep_windows import PENDING

SOURCE = "/webhooks/stripe"
_TYPE_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SweptEvent:
    """An event of the list.

    Attributes:
        id: Stripe's, which is also the id of its message.
        object_id: of the event's object; None without a usable one.
        booking: id of the booking that the object names, or another text in its place; None without one.
    """

    id: str
    type: str
    created_at: datetime
    object_id: str | None
    booking: str | None
    body: bytes

    @property
    def key(self) -> str:
        """Return the ordering key: booking, else object, else event (GW-10)."""
        return self.booking or self.object_id or self.id


@dataclass(frozen=True, slots=True)
class SortedEvents:
    """Events of a page by what became of them: delivered, still tried by Stripe, or missed."""

    known: int
    pending: Sequence[SweptEvent]
    missed: Sequence[SweptEvent]


def read_event(event: JsonObject) -> SweptEvent | None:
    """Return an event of the list; None if its id or time cannot be used."""
    event_id, created = _usable(event.get("id")), event.get("created")
    if event_id is None or type(created) is not int:
        return None
    try:
        created_at = datetime.fromtimestamp(created, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    subject = StripeEvent(event).subject
    metadata = member(subject, "metadata")
    return SweptEvent(
        id=event_id,
        type=_usable(event.get("type")) or _TYPE_UNKNOWN,
        created_at=created_at,
        object_id=_usable(subject.get("id")),
        booking=_usable(booking_reference(_text(metadata.get(n)) for n in ("booking_id", "bookingId"))),
        body=json.dumps(event, separators=(",", ":")).encode(),
    )


def sort_events(events: Sequence[SweptEvent], known: Collection[str], *, now: datetime) -> SortedEvents:
    """Sort a page's events.

    Args:
        events: of the page.
        known: ids that booking has received.
        now: start of the sweep.
    """
    unknown = [event for event in events if event.id not in known]
    pending = [event for event in unknown if now - event.created_at < PENDING]
    # Oldest first, as Stripe would have delivered them.
    missed = sorted(
        (event for event in unknown if now - event.created_at >= PENDING), key=lambda event: event.created_at
    )
    return SortedEvents(len(events) - len(unknown), pending, missed)


def headers_of(event: SweptEvent, *, traceparent: str) -> Headers:
    """Return the headers that the gateway gives a delivery, and the mark of the sweep.

    The list came over TLS with the account's own key: it is as good as a verified signature.
    """
    metadata = MessageMetadata(
        id=event.id,
        source=SOURCE,
        type=f"stripe.{event.type}",
        time=event.created_at,
        subject=event.booking or event.object_id,
        correlation_id=event.id,
        traceparent=traceparent,
    )
    (verified,) = WEBHOOKS_STRIPE.verifications
    return (*metadata.to_headers(), (VERIFICATION_HEADER, verified), (ORIGIN_HEADER, SWEEP_ORIGIN))


def _usable(value: object) -> str | None:
    """Return a text that can be a header, a key and a column, as the gateway does; None for others."""
    text = _text(value)
    return id_or_digest(text) if text and text.isprintable() else None


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
