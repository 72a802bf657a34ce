"""Message metadata: CloudEvents 1.0 in Kafka's binary mode, plus W3C `traceparent`.

Source of the rules: the CloudEvents specification 1.0, its Kafka protocol binding §3.2 (attributes as
`ce_*` headers, UTF-8, `content-type` for `datacontenttype`), and GW-10.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from contracts.times import TimeError, parse_time

Headers = tuple[tuple[str, bytes], ...]

CONTENT_TYPE_JSON = "application/json"
SPEC_VERSION = "1.0"
_SPEC_VERSION_HEADER = ("ce_specversion", SPEC_VERSION.encode())
# On webhook records: "verified", or "unverified" where the flag table lets a delivery pass unsigned (GW-8).
# A record without the header is not from a permitted publisher. A publisher of deliveries beside the gateway,
# such as the Stripe sweep (`plumbline-origin: sweep`, REC-13), writes the result of its own check.
VERIFICATION_HEADER = "plumbline-verification"
# On records that another publisher than the gateway wrote: how it came to the event.
ORIGIN_HEADER = "plumbline-origin"
SWEEP_ORIGIN = b"sweep"


class MetadataError(ValueError):
    """The headers do not describe a message. Set the record aside."""


class MessageMetadata(msgspec.Struct, frozen=True):
    """Source, type, time and subject of an event.

    Attributes:
        id: event id, unique within `source` for ever.
        source: the sender: a service's name, or `/webhooks/<source>`.
        type: kind of event, e.g. "booking.status-changed".
        time: moment of the event, timezone-aware; None if the provider sent none.
        subject: usually a booking id.
        sequence: the booking's version after the event (BK-12); None for events without a version.
        correlation_id: id of the event that started the chain.
        causation_id: id of the event that directly caused this one.
        traceparent: W3C trace context of the producer.
        content_type: of the value.
    """

    id: str
    source: str
    type: str
    time: datetime | None = None
    subject: str | None = None
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    content_type: str = CONTENT_TYPE_JSON

    def to_headers(self) -> Headers:
        """Return the Kafka headers; attributes without a value are left out."""
        headers = [
            _SPEC_VERSION_HEADER,
            ("ce_id", self.id.encode()),
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
        ]
        if self.time is not None:
            headers.append(("ce_time", format_time(self.time).encode()))
        if self.subject is not None:
            headers.append(("ce_subject", self.subject.encode()))
        if self.sequence is not None:
            headers.append(("ce_sequence", b"%d" % self.sequence))
        if self.correlation_id is not None:
            headers.append(("ce_correlationid", self.correlation_id.encode()))
        if self.causation_id is not None:
            headers.append(("ce_causationid", self.causation_id.encode()))
        if self.traceparent is not None:
            headers.append(("traceparent", self.traceparent.encode()))
        headers.append(("content-type", self.content_type.encode()))
        return tuple(headers)


def format_time(moment: datetime) -> str:
    """Return the moment as RFC 3339 text in UTC with microseconds and "Z"."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def read_metadata(headers: Iterable[tuple[str, bytes | None]]) -> MessageMetadata:
    """Return the metadata in a record's headers.

    Unknown headers are ignored, so bad bytes in them do no harm. Of a repeated name the last counts.

    Raises:
        MetadataError: id, source or type is missing, or a known header is not readable.
    """
    texts = _texts(dict(headers))
    return MessageMetadata(
        id=_required(texts, "ce_id"),
        source=_required(texts, "ce_source"),
        type=_required(texts, "ce_type"),
        time=_time(texts.get("ce_time")),
        subject=texts.get("ce_subject"),
        sequence=_sequence(texts.get("ce_sequence")),
        correlation_id=texts.get("ce_correlationid"),
        causation_id=texts.get("ce_causationid"),
        traceparent=texts.get("traceparent"),
        content_type=texts.get("content-type") or CONTENT_TYPE_JSON,
    )


_NAMES = (
    "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_sequence", "ce_correlationid",
    "ce_causationid", "traceparent", "content-type",
)  # fmt: skip


def _texts(raw: Mapping[str, bytes | None]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name in _NAMES:
        value = raw.get(name)
        if value is not None:
            try:
                texts[name] = value.decode()
            except UnicodeDecodeError as error:
                raise MetadataError(f"header {name} is not UTF-8") from error
    return texts


def _required(texts: Mapping[str, str], name: str) -> str:
    value = texts.get(name)
    if not value:
        raise MetadataError(f"header {name} is missing")
    return value


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except TimeError as error:
        raise MetadataError("header ce_time is not an RFC 3339 time") from error


def _sequence(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - fits a bigint
        raise MetadataError("header ce_sequence is not a whole number")
    return int(text)
