"""EventLog entries: exactly one for each record of a topic (AU-1). No function here raises."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from audit.domain.events import AUDIT, Event, Origin, PayloadError, source_name
from audit.domain.facts import Facts, Status, error_text, facts_of
from audit.domain.history import Transition, transition_of
from audit.domain.history_gaps import Gap
from audit.domain.identifiers import identifier, short
from contracts.ids import booking_id_of
from contracts.text import sanitize_for_postgres

UNREADABLE = "message.unreadable"
LOST = "messages.lost"
OUT_OF_PLACE = "message.out-of-place"
IDENTITY_CONFLICT = "message.identity-conflict"
HISTORY_CONFLICT = "status-history.conflict"
HISTORY_GAP = "status-history.gap"
HISTORY_HEALED = "status-history.gap-healed"

EventIdentity = tuple[str, str]
"""Source and event id, which identify an event for ever."""


class Entry(msgspec.Struct, frozen=True):
    """An entry to append, and its payload, which is stored separately (AU-6).

    Attributes:
        occurred_at: time of the event as its sender gives it; None without one.
        subject: person or thing of the payload; an erasure finds the payload by it.
        body: the payload's bytes.
        texts: by name, ids of the message that the entry holds as digests; they belong to the payload.
        transition: the event's transition of a status history; None for other events.
    """

    event_type: str
    status: Status
    source: str
    event_id: str
    booking_id: str | None
    actor: str | None
    error: str | None
    occurred_at: datetime | None
    origin: Origin
    correlation_id: str | None
    causation_id: str | None
    subject: str | None
    body: bytes
    texts: dict[str, str] = {}
    metadata: dict[str, object] = {}
    transition: Transition | None = None

    @property
    def identity(self) -> EventIdentity:
        return self.source, self.event_id


def entry_of(event: Event, origin: Origin) -> Entry:
    """Return the entry of an event. A payload that breaks its contract makes the entry's status failed."""
    facts, transition = facts_of(event), None
    try:
        transition = transition_of(event)
    except PayloadError as error:
        facts = replace(facts, status="failed", error=error_text(str(error)))
    return _entry(event, origin, facts, transition)


def _entry(event: Event, origin: Origin, facts: Facts, transition: Transition | None) -> Entry:
    sequence = {} if event.sequence is None else {"sequence": event.sequence}
    trace = {} if event.trace_id is None else {"trace_id": event.trace_id}
    texts = _texts(event)
    ids = {name: identifier(text) for name, text in texts.items()}
    return Entry(
        event_type=ids["event_type"],
        status=facts.status,
        source=ids["source"],
        event_id=ids["event_id"],
        booking_id=facts.booking_id,
        actor=facts.actor,
        error=facts.error,
        occurred_at=_in_utc(event.time),
        origin=origin,
        correlation_id=ids.get("correlation_id"),
        causation_id=ids.get("causation_id"),
        subject=_subject(event, facts),
        body=event.body,
        texts={name: sanitize_for_postgres(text) for name, text in texts.items() if ids[name] != text},
        metadata={**facts.metadata, **sequence, **trace, "body_bytes": len(event.body)},
        transition=transition,
    )


def _subject(event: Event, facts: Facts) -> str | None:
    # Unless it is a booking's id, the subject is the message's own text: the payload can be erased.
    if facts.booking_id and booking_id_of(facts.booking_id):
        return facts.booking_id
    return short(event.subject) if event.subject else facts.booking_id


def _texts(event: Event) -> dict[str, str]:
    """Return the event's ids as they came, by the entry's member."""
    texts = {"event_id": event.id, "event_type": event.type, "source": source_name(event.source)}
    if event.correlation_id:
        texts["correlation_id"] = event.correlation_id
    if event.causation_id:
        texts["causation_id"] = event.causation_id
    return texts


def unreadable_entry(
    origin: Origin,
    *,
    error: str,
    key: bytes,
    value: bytes,
    headers: Sequence[tuple[str, bytes]],
    event_type: str = UNREADABLE,
) -> Entry:
    """Return the entry of a record that describes no event, or an event of another topic (`OUT_OF_PLACE`).

    Its payload is the whole record, as JSON with base64. Its identity is topic, partition and offset: a
    record that is read again adds nothing.
    """
    record = {
        "key": _base64(key),
        "headers": [[name, _base64(content)] for name, content in headers],
        "value": _base64(value),
    }
    return Entry(
        event_type=event_type,
        status="failed",
        source=AUDIT,
        event_id=short(f"{origin.topic}/{origin.partition}/{origin.offset}"),
        booking_id=None,
        actor=None,
        error=error_text(error),
        occurred_at=None,
        origin=origin,
        correlation_id=None,
        causation_id=None,
        subject=None,
        body=json.dumps(record).encode(),
        metadata={"body_bytes": len(value)},
    )


def lost_entry(origin: Origin, *, group: str, last_offset: int) -> Entry:
    """Return the entry of records that were deleted before this service read them.

    Its identity is the range: the same loss found again adds nothing. The payload is empty, because the
    records are unknown.

    Args:
        origin: topic, partition and first lost offset.
        group: the consumer group that did not read them.
        last_offset: last lost offset.
    """
    lost = f"{origin.topic}/{origin.partition}/{origin.offset}-{last_offset}"
    return Entry(
        event_type=LOST,
        status="failed",
        source=AUDIT,
        event_id=identifier(f"{LOST}/{group}/{lost}"),
        booking_id=None,
        actor=None,
        error="records were deleted before they were read",
        occurred_at=None,
        origin=origin,
        correlation_id=None,
        causation_id=None,
        subject=None,
        body=b"",
        metadata={
            "consumer": AUDIT,
            "group": group,
            "topic": origin.topic,
            "partition": origin.partition,
            "first_offset": origin.offset,
            "last_offset": last_offset,
        },
    )


def identity_conflict(second: Entry, *, first_entry_id: int, body_digest: bytes) -> Entry:
    """Return the entry that reports a known event id with another body; the entry keeps the body.

    Args:
        second: the entry with the known identity.
        first_entry_id: the log's entry with this identity.
        body_digest: of the second body, salted like the first. The same body again adds nothing.
    """
    return msgspec.structs.replace(
        _report(second, IDENTITY_CONFLICT, error="an event id came again with another body"),
        event_id=body_digest.hex(),
        metadata={**_source_of(second), "first_entry_id": first_entry_id},
    )


def history_conflict(second: Entry, *, version: int, first_entry_id: int) -> Entry:
    """Return the entry that reports a second, different transition of one booking and version."""
    return msgspec.structs.replace(
        _report(second, HISTORY_CONFLICT, error="a version of a status history came again, different"),
        event_id=short(f"{HISTORY_CONFLICT}/{second.source}/{second.event_id}"),
        metadata={**_source_of(second), "version": version, "first_entry_id": first_entry_id},
    )


def gap_entry(booking_id: str, gap: Gap, origin: Origin) -> Entry:
    """Return the entry that reports missing versions; `origin` is the record that waits for them.

    The same gap reported again adds nothing.
    """
    return msgspec.structs.replace(
        _of_history(booking_id, HISTORY_GAP, gap.first, origin),
        status="failed",
        error=f"versions {gap.first} to {gap.last} of the status history have not come",
        metadata={"missing_from": gap.first, "missing_to": gap.last, "waiting_version": gap.last + 1},
    )


def healed_entry(booking_id: str, version: int, origin: Origin) -> Entry:
    """Return the entry that reports a closed gap; `origin` is the record of the last missing version."""
    return msgspec.structs.replace(
        _of_history(booking_id, HISTORY_HEALED, version, origin), metadata={"complete_to": version}
    )


def _of_history(booking_id: str, event_type: str, version: int, origin: Origin) -> Entry:
    return Entry(
        event_type=event_type,
        status="success",
        source=AUDIT,
        event_id=short(f"{event_type}/{booking_id}/{version}"),
        booking_id=booking_id,
        actor=None,
        error=None,
        occurred_at=None,
        origin=origin,
        correlation_id=None,
        causation_id=None,
        subject=booking_id,
        body=b"",
    )


def _report(cause: Entry, event_type: str, *, error: str) -> Entry:
    return msgspec.structs.replace(
        cause,
        event_type=event_type,
        status="failed",
        source=AUDIT,
        actor=None,
        error=error,
        correlation_id=cause.correlation_id or cause.event_id,
        causation_id=cause.event_id,
        transition=None,
    )


def _source_of(entry: Entry) -> dict[str, object]:
    return {"source": entry.source, "event_id": entry.event_id, "event_type": entry.event_type}


def _in_utc(moment: datetime | None) -> datetime | None:
    # None at the calendar's edge, where UTC has no such time.
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:
        return None


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
