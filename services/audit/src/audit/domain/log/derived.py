"""Compare what was derived from entries with them: status history, texts of a payload (AU-2, AU-6)."""

from datetime import datetime

import msgspec

from audit.domain.events import BOOKING, PayloadError
from audit.domain.history import read_transition
from audit.domain.identifiers import identifier
from audit.domain.log.canonical import StoredEntry

CREATED = "booking.created"
_TRANSITIONS = frozenset({CREATED, "booking.status-changed"})


class _Facts(msgspec.Struct):
    """Metadata of an entry that reports a transition."""

    version: int | None = None
    status: str | None = None
    from_status: str | None = None
    to_status: str | None = None


class _Body(msgspec.Struct):
    recorded_at: datetime | None = None


_facts = msgspec.json.Decoder(_Facts)
_body = msgspec.json.Decoder(_Body)
_texts = msgspec.json.Decoder(dict[str, str])


class HistoryRow(msgspec.Struct, frozen=True):
    """A row of the status history."""

    entry_id: int
    booking_id: str
    version: int
    from_status: str | None
    to_status: str
    changed_by: str
    recorded_at: datetime


def reports_transition(entry: StoredEntry) -> bool:
    """Return whether an entry reports a transition, which the status history has once for each version."""
    return entry.event_type in _TRANSITIONS and entry.source == BOOKING and entry.status == "success"


def version_of(entry: StoredEntry) -> tuple[str, int] | None:
    """Return booking and version of a reported transition; None if the entry names none."""
    try:
        version = _facts.decode(entry.metadata).version
    except (msgspec.DecodeError, ValueError):
        return None
    return None if version is None or entry.booking_id is None else (entry.booking_id, version)


def history_differs(row: HistoryRow, entry: StoredEntry, body: bytes | None) -> str | None:
    """Return what of a transition differs from its entry and, if it was not erased, from the payload."""
    facts = _facts.decode(entry.metadata)
    is_creation = entry.event_type == CREATED
    sealed = (entry.booking_id, facts.version, entry.actor)
    statuses = (None, facts.status) if is_creation else (facts.from_status, facts.to_status)
    if (row.booking_id, row.version, row.changed_by) != sealed or (
        row.from_status,
        row.to_status,
    ) != statuses:
        return f"version {row.version} of booking {row.booking_id} differs from entry {row.entry_id}"
    if body is None or _has_time(body, row.recorded_at):
        return None
    try:
        recorded_at = read_transition(entry.event_type, body).recorded_at
    except PayloadError:
        return None  # the payload itself is reported
    if recorded_at == row.recorded_at:
        return None
    where = f"version {row.version} of booking {row.booking_id}"
    return f"{where} has another time than the payload of entry {row.entry_id}"


def _has_time(body: bytes, recorded_at: datetime) -> bool:
    # Ten times as fast as reading the whole payload; where it says no, the whole payload is read.
    try:
        return _body.decode(body).recorded_at == recorded_at
    except (msgspec.DecodeError, ValueError, TypeError):
        return False


def texts_differ(texts: str, entry: StoredEntry) -> bool:
    """Return whether a text of a payload is not the one whose digest stands in its entry."""
    try:
        headers = _texts.decode(texts)
    except (msgspec.DecodeError, ValueError):
        return True
    return any(getattr(entry, name, None) != identifier(text) for name, text in headers.items())
