"""Which provider event a delivery reports, and which Kafka key keeps its order (GW-10, GW-11)."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from contracts.ids import ID_CHARACTERS_MAX, BookingId, EventId
from contracts.reasons import RefusalReason
from webhook_gateway.domain.pointer import Pointer, find
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.strict_json import Document

TYPE_UNKNOWN = "unknown"
"""Stands for a type that is missing or no text; the delivery is accepted all the same (GW-13)."""

_UNIX_SECONDS_MAX = 253_402_300_799
"""The last second of the year 9999, the end of Python's calendar."""


Headers = Sequence[tuple[bytes, bytes]]
"""As ASGI hands them over: lower-case names, values as received."""


@dataclass(frozen=True, slots=True)
class HeaderName:
    """A place outside of the body: the lower-case name of a header. Hardly a provider signs it."""

    name: bytes


Place = Pointer | HeaderName


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """Where a source's deliveries say who they are: places tried in order, the first usable value counts.

    Attributes:
        event_id: the provider's event id.
        event_id_required: whether a body without one is refused; else the signed message id or, failing
            that, a derived id stands for it (GW-11).
        event_type: the provider's type.
        object_id: id of the object that the event is about.
        booking_id: id of the booking.
        occurred_at: RFC 3339 text, or whole seconds since 1970.
    """

    event_id: tuple[Place, ...] = ()
    event_id_required: bool = False
    event_type: tuple[Place, ...] = ()
    object_id: tuple[Place, ...] = ()
    booking_id: tuple[Place, ...] = ()
    occurred_at: tuple[Place, ...] = ()

    def pointers(self) -> list[Pointer]:
        """The places that lie in the body."""
        told = (self.event_id, self.event_type, self.object_id, self.booking_id, self.occurred_at)
        return [place for places in told for place in places if not isinstance(place, HeaderName)]


class SignedFacts(msgspec.Struct, frozen=True):
    """What the verified headers add to the body; empty for a delivery that nobody verified."""

    signed_at: datetime | None = None
    message_id: str | None = None


class Identity(msgspec.Struct, frozen=True):
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


class _Told(msgspec.Struct, frozen=True):
    """What a delivery says: its body, parsed, and its headers."""

    body: object
    headers: Headers

    def at(self, place: Place) -> Sequence[object]:
        if isinstance(place, HeaderName):
            return [value.decode("latin-1") for name, value in self.headers if name == place.name]
        return (find(self.body, place),)


def identify(
    document: Document,
    body: bytes,
    rule: IdentityRule,
    source: str,
    signed: SignedFacts,
    headers: Headers = (),
) -> Identity | Refused:
    """The identity of a delivery whose body is `document`."""
    told = _Told(document.value, headers)
    event_id = _text(told, rule.event_id)
    if event_id is None and rule.event_id_required:
        return Refused(RefusalReason.EVENT_ID_MISSING)
    event_id = event_id or signed.message_id or derived_event_id(source, signed.signed_at, body)
    booking_id = _text(told, rule.booking_id)
    return Identity(
        event_id=EventId(event_id),
        type=_text(told, rule.event_type) or TYPE_UNKNOWN,
        object_id=_text(told, rule.object_id),
        booking_id=None if booking_id is None else BookingId(booking_id),
        occurred_at=_moment(told, rule.occurred_at) or signed.signed_at,
    )


def derived_event_id(source: str, signed_at: datetime | None, body: bytes) -> str:
    """SHA-256 of source, signed timestamp and body (GW-11), each preceded by its length."""
    moment = "" if signed_at is None else signed_at.isoformat(timespec="milliseconds")
    digest = hashlib.sha256()
    for part in (source.encode(), moment.encode(), body):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return f"derived-{digest.hexdigest()}"


def _text(told: _Told, places: Iterable[Place]) -> str | None:
    for place in places:
        for value in told.at(place):
            if text := _usable_text(value):
                return text
    return None


def _usable_text(value: object) -> str | None:
    """Text that can be a header, a key and a column: printable; whole numbers as digits.

    Control characters and half surrogate pairs are not printable: PostgreSQL or UTF-8 would refuse them
    later. A longer text than any id is replaced by its digest (`contracts.ids`).
    """
    if isinstance(value, str):
        if not value or not value.isprintable():
            return None
        if len(value) > ID_CHARACTERS_MAX:
            return f"sha256-{hashlib.sha256(value.encode()).hexdigest()}"
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(told: _Told, places: Iterable[Place]) -> datetime | None:
    for place in places:
        for value in told.at(place):
            if (moment := _as_moment(value)) is not None:
                return moment
    return None


def _as_moment(value: object) -> datetime | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _UNIX_SECONDS_MAX:
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
