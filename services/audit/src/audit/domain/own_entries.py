"""Entries about the log itself, which no message reports: exports, evidence, readings of payloads (AU-10)."""

from audit.domain.entries import Entry
from audit.domain.events import AUDIT, Origin
from audit.domain.facts import Status
from audit.domain.filters import EntryFilter
from audit.domain.identifiers import identifier
from contracts.metadata import format_time

PAYLOAD_READ = "audit.payload-read"
EXPORT_STARTED = "audit.export-started"
EXPORTED = "audit.exported"
EVIDENCE_EXPORTED = "audit.evidence-exported"

NO_RECORD = Origin("", -1, -1)
"""Topic, partition and offset of an entry that no record reports."""


def own_entry(
    event_type: str,
    event_id: str,
    *,
    actor: str,
    status: Status = "success",
    error: str | None = None,
    booking_id: str | None = None,
    correlation_id: str | None = None,
    metadata: dict[str, object],
) -> Entry:
    """Return an entry about the log, without a payload.

    Args:
        event_type: begins with `audit.`.
        event_id: fresh, so that the act is recorded once.
        actor: who did it; a text without an id's form becomes its digest.
        status: how it ended.
        error: code of what went wrong.
        booking_id: the booking that it concerns.
        correlation_id: of the act, where it has several entries.
        metadata: ids, codes and numbers only.
    """
    return Entry(
        event_type=event_type,
        status=status,
        source=AUDIT,
        event_id=event_id,
        booking_id=booking_id,
        actor=identifier(actor),
        error=error,
        occurred_at=None,
        origin=NO_RECORD,
        correlation_id=correlation_id,
        causation_id=None,
        subject=booking_id,
        body=b"",
        metadata=metadata,
    )


def payload_read(event_id: str, *, actor: str, entry_id: int, booking_id: str | None) -> Entry:
    """Return the entry that a payload was read."""
    return own_entry(
        PAYLOAD_READ, event_id, actor=actor, booking_id=booking_id, metadata={"entry_id": entry_id}
    )


def export_started(export_id: str, *, actor: str, through: str, query: EntryFilter) -> Entry:
    """Return the entry that an export begins; it is appended before the first entry is given out."""
    return own_entry(
        EXPORT_STARTED,
        export_id,
        actor=actor,
        status="pending",
        correlation_id=export_id,
        metadata={"through": through, "filters": recorded_filters(query)},
    )


def exported(
    event_id: str,
    export_id: str,
    *,
    actor: str,
    query: EntryFilter,
    entries: int,
    is_whole: bool,
) -> Entry:
    """Return the entry that an export has ended, with the number of entries that were given out."""
    return own_entry(
        EXPORTED,
        event_id,
        actor=actor,
        status="success" if is_whole else "failed",
        error=None if is_whole else "broken-off",
        correlation_id=export_id,
        metadata={"entries": entries, "filters": recorded_filters(query)},
    )


def evidence_exported(
    event_id: str, *, booking_id: str, actor: str, through: str, entries: int, tree_size: int, payloads: bool
) -> Entry:
    """Return the entry that evidence of a booking was given out.

    Args:
        event_id: fresh, so that each file is recorded.
        booking_id: of the evidence.
        actor: who made it.
        through: `http` or `cli`.
        entries: that are proved in the file.
        tree_size: of the checkpoint in the file.
        payloads: whether the contents of messages are in it.
    """
    return own_entry(
        EVIDENCE_EXPORTED,
        event_id,
        actor=actor,
        booking_id=booking_id,
        metadata={"through": through, "entries": entries, "tree_size": tree_size, "payloads": payloads},
    )


def recorded_filters(query: EntryFilter) -> dict[str, str]:
    """Return the filters in the form of ids: a typed text without this form becomes its digest."""
    texts = {
        "event_type": query.event_type,
        "status": query.status,
        "source": query.source,
        "booking_id": query.booking_id,
        "event_id": query.event_id,
        "by": query.actor,
        "from": query.recorded_from and format_time(query.recorded_from),
        "to": query.recorded_to and format_time(query.recorded_to),
        "q": query.text and identifier(query.text),
    }
    return {name: text for name, text in texts.items() if text}
