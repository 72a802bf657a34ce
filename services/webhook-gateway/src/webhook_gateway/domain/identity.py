"""Finds the provider event that a delivery reports, and its Kafka key (GW-10, GW-11)."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from contracts.ids import BookingId, EventId, booking_id_of, booking_reference, id_or_digest
from contracts.reasons import RefusalReason
from contracts.times import TimeError, parse_time
from webhook_gateway.domain.pointer import Pointer, find
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.strict_json import Document

TYPE_UNKNOWN = "unknown"
"""Stands for a type that is missing or no text; the delivery is accepted all the same (GW-13)."""

# The last second of the year 9999, the end of Python's calendar.
_UNIX_SECONDS_MAX = 253_402_300_799


UsableT = TypeVar("UsableT")

# As ASGI hands them over: lower-case names, values as received.
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class HeaderLocation:
    """The lower-case name of a header. Hardly any provider signs it."""

    name: bytes


ValueLocation = Pointer | HeaderLocation


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """Where to find the identity of a source's deliveries: the first usable value of each list counts.

    Attributes:
        event_id: the provider's event id.
        event_id_required: whether a body without one is refused; else the signed message id or, failing
            that, a derived id stands for it (GW-11).
        event_id_within: what an id of `event_id` is unique within, where the provider shares it among events
            of several kinds: the event's id is then both. A delivery that lacks it has the id alone.
        event_type: the provider's type.
        object_id: id of the object that the event is about.
        booking_id: id of the booking.
        occurred_at: RFC 3339 text, or whole seconds since 1970.
    """

    event_id: tuple[ValueLocation, ...] = ()
    event_id_required: bool = False
    event_id_within: tuple[ValueLocation, ...] = ()
    event_type: tuple[ValueLocation, ...] = ()
    object_id: tuple[ValueLocation, ...] = ()
    booking_id: tuple[ValueLocation, ...] = ()
    occurred_at: tuple[ValueLocation, ...] = ()

    def pointers(self) -> list[Pointer]:
        """Return the locations that lie in the body."""
        identifying = (self.event_id, self.event_id_within, self.event_type, self.object_id)
        return [
            place
            for places in (*identifying, self.booking_id, self.occurred_at)
            for place in places
            if not isinstance(place, HeaderLocation)
        ]


def identity_headers(
    rule: IdentityRule, *, event_id: str, event_type: str, occurred_at: str
) -> dict[str, str]:
    """Return the headers in which a sender of this rule says what the body does not: id, type and time.

    A value that the rule looks for in the body first is left to the body.
    """
    values = (
        (rule.event_id, event_id),
        (rule.event_id_within, event_type),
        (rule.event_type, event_type),
        (rule.occurred_at, occurred_at),
    )
    return {
        places[0].name.decode(): value
        for places, value in values
        if places and isinstance(places[0], HeaderLocation)
    }


class SignedFacts(msgspec.Struct, frozen=True):
    """What the verified headers add to the body; empty for a delivery that nobody verified."""

    signed_at: datetime | None = None
    message_id: str | None = None


class EventIdentity(msgspec.Struct, frozen=True):
    """A provider event.

    Attributes:
        event_id: unique within its source, for ever.
        type: the provider's word for what happened.
        object_id: of the provider's object, where one is named.
        booking_id: of the booking, where one is named.
        occurred_at: by the body, else by the signature; None where neither says.
    """

    event_id: EventId
    type: str
    object_id: str | None
    booking_id: BookingId | None
    occurred_at: datetime | None

    @property
    def key(self) -> str:
        """Booking id, else object id, else event id: what the events of one thing share (GW-10)."""
        return self.booking_id or self.object_id or self.event_id


def identify(
    document: Document,
    body: bytes,
    rule: IdentityRule,
    source: str,
    signed: SignedFacts,
    headers: Headers = (),
) -> EventIdentity | Refused:
    """Return the identity of a delivery whose body is `document`."""
    value = document.value
    event_id = _event_id(rule, value, headers)
    if event_id is None and rule.event_id_required:
        return Refused(RefusalReason.EVENT_ID_MISSING)
    event_id = event_id or signed.message_id or derived_event_id(source, signed.signed_at, body)
    return EventIdentity(
        event_id=EventId(event_id),
        type=_first(_usable_text, rule.event_type, value, headers) or TYPE_UNKNOWN,
        object_id=_first(_usable_text, rule.object_id, value, headers),
        booking_id=_booking_id(rule.booking_id, value, headers),
        occurred_at=_first(_as_moment, rule.occurred_at, value, headers) or signed.signed_at,
    )


def _event_id(rule: IdentityRule, body: object, headers: Headers) -> str | None:
    """Return the provider's event id, behind what it is unique within; None where it gives none."""
    event_id = _first(_usable_text, rule.event_id, body, headers)
    within = _first(_usable_text, rule.event_id_within, body, headers)
    return event_id if event_id is None or within is None else _usable_text(f"{within}:{event_id}")


def derived_event_id(source: str, signed_at: datetime | None, body: bytes) -> str:
    """SHA-256 of source, signed timestamp and body (GW-11), each preceded by its length."""
    moment = "" if signed_at is None else signed_at.isoformat(timespec="milliseconds")
    digest = hashlib.sha256()
    for part in (source.encode(), moment.encode(), body):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return f"derived-{digest.hexdigest()}"


def _first(
    read: Callable[[object], UsableT | None],
    places: tuple[ValueLocation, ...],
    body: object,
    headers: Headers,
) -> UsableT | None:
    """Return the first usable value found at `places`, in order."""
    for place in places:
        if isinstance(place, HeaderLocation):
            values = (read(value.decode("latin-1")) for name, value in headers if name == place.name)
            usable = next((each for each in values if each is not None), None)
        else:
            usable = read(find(body, place))
        if usable is not None:
            return usable
    return None


def _booking_id(places: tuple[ValueLocation, ...], body: object, headers: Headers) -> BookingId | None:
    """Return the booking as booking and audit read it (`contracts.ids`), else the text that stands there."""
    booking_id = _first(_as_booking_id, places, body, headers)
    if booking_id is not None or not places:
        return booking_id
    reference = booking_reference([_first(_as_text, (place,), body, headers) for place in places])
    usable = _usable_text(reference)
    return None if usable is None else BookingId(usable)


def _as_booking_id(value: object) -> BookingId | None:
    return booking_id_of(value) if isinstance(value, str) else None


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else _digits(value)


def _usable_text(value: object) -> str | None:
    """Text that can be a header, a key and a column: printable; whole numbers as digits.

    Control characters and half surrogate pairs are not printable: PostgreSQL or UTF-8 would refuse them
    later. A longer text than any id is replaced by its digest (`contracts.ids`), and so are the digits of a
    number: as a number or as text, whichever way the body was read, the same digits are the same id.
    """
    text = _as_text(value)
    if not text or not text.isprintable():
        return None
    return id_or_digest(text)


def _digits(value: object) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _as_moment(value: object) -> datetime | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _UNIX_SECONDS_MAX:
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    try:
        return parse_time(value)
    except TimeError:
        return None
