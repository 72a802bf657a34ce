"""Verify the status history against the entries that it was made from (AU-2, AU-4)."""

from collections.abc import Sequence

from audit.adapters import verification
from audit.domain.log.canonical import StoredEntry
from audit.domain.log.derived import history_differs, version_of
from audit.domain.log.tampering import Finding, Tampering
from chassis.postgres import Connection

Transition = tuple[int, StoredEntry, bytes | None]
"""Leaf index, entry and payload of a reported transition."""


async def check_history(
    connection: Connection, entries: Sequence[tuple[int, StoredEntry]], transitions: Sequence[Transition]
) -> list[Finding]:
    """Compare the rows of the status history about these entries with what the entries report."""
    rows = await verification.history(connection, [entry.entry_id for _, entry in entries])
    reporting = {entry.entry_id for _, entry, _ in transitions}
    findings = [
        Finding(
            Tampering.HISTORY,
            f"status_history has a row of entry {entry.entry_id}, which reports no transition",
            index,
            entry.entry_id,
        )
        for index, entry in entries
        if entry.entry_id in rows and entry.entry_id not in reporting
    ]
    missing: list[tuple[int, StoredEntry, tuple[str, int]]] = []
    for index, entry, body in transitions:
        row = rows.get(entry.entry_id)
        if row is None:
            if key := version_of(entry):
                missing.append((index, entry, key))
        elif problem := history_differs(row, entry, body):
            findings.append(Finding(Tampering.HISTORY, problem, index, entry.entry_id))
    # A second transition of a version is reported, and stands in no history.
    known = await verification.known_versions(connection, [key for _, _, key in missing])
    return findings + [
        Finding(
            Tampering.HISTORY,
            f"status_history has no version {version} of booking {booking_id}, see entry {entry.entry_id}",
            index,
            entry.entry_id,
        )
        for index, entry, (booking_id, version) in missing
        if (booking_id, version) not in known
    ]
