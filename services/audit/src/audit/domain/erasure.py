"""Erasures and retention: how payloads are found, and the entries that say what was done (AU-6, AU-10)."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from audit.domain.entries import Entry
from audit.domain.identifiers import booking_identifier, identifier, short
from audit.domain.own_entries import own_entry
from contracts.ids import booking_id_of, has_id_form
from contracts.metadata import format_time
from contracts.text import sanitize_for_postgres

ERASED = "audit.payloads-erased"
EXPIRED = "audit.payloads-expired"


def stored_subjects(subjects: Collection[str]) -> set[str]:
    """Return the texts under which payloads of these subjects are stored."""
    fits = (short, identifier, booking_identifier)
    return {fit(subject) for subject in subjects for fit in fits}


def needs_search(subjects: Collection[str]) -> bool:
    """Return True if bodies must be searched: only a booking's id is the subject of all its payloads."""
    return not all(booking_id_of(subject) for subject in subjects)


def erasure_entry(
    erasure_id: str,
    *,
    subjects: Collection[str],
    actor: str,
    reason: str | None,
    counts: Mapping[str, object],
) -> Entry:
    """Return the entry of an erasure. It holds no personal data: numbers, and the subject if it is a booking.

    Args:
        erasure_id: random.
        subjects: what was erased.
        actor: who erased.
        reason: a ticket's id stands in the entry; another text is kept as its payload only.
        counts: number of payloads and the like.
    """
    booking_id = booking_id_of(next(iter(subjects))) if len(subjects) == 1 else None
    ticket = {"reason": reason} if reason and has_id_form(reason) else {}
    entry = own_entry(
        ERASED,
        erasure_id,
        actor=actor,
        booking_id=booking_id,
        correlation_id=erasure_id,
        metadata={**counts, **ticket},
    )
    # Without a subject: the next erasure of this booking does not find it.
    return msgspec.structs.replace(
        entry, subject=None, body=sanitize_for_postgres(reason).encode() if reason else b""
    )


def retention_entry(
    retention_id: str,
    *,
    actor: str,
    retained_from: datetime,
    counts: Mapping[str, object],
) -> Entry:
    """Return the entry of a retention: since when payloads are kept, and how much was dropped."""
    metadata = {"retained_from": format_time(retained_from), **counts}
    return own_entry(EXPIRED, retention_id, actor=actor, correlation_id=retention_id, metadata=metadata)
