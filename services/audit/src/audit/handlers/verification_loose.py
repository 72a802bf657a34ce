"""Verify what belongs to no leaf: entries that came later or wait, rows without an entry (AU-4)."""

import asyncio
from dataclasses import dataclass, field

from audit.adapters import verification, verification_loose
from audit.domain.log.tampering import Finding, Tampering
from audit.domain.log.tiles import TILE_HEIGHT
from audit.handlers.verification_parts import FINDINGS_MAX, Source
from chassis.postgres import Connection, Database

_OF_ENTRIES = {
    "event_payload": Tampering.PAYLOAD,
    "status_history": Tampering.HISTORY,
    "event_rendering": Tampering.RENDERING,
}


@dataclass(slots=True)
class LooseReport:
    """Result.

    Attributes:
        unsealed: entries without a leaf that were decided when the head was signed.
        waiting: entries that no head covers yet.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    unsealed: list[Finding] = field(default_factory=list[Finding])
    waiting: int = 0


def verify_loose(source: Source, size: int, sealed_through: int) -> LooseReport:
    """Verify in a process of its own."""
    return asyncio.run(verify_loose_rows(source, size, sealed_through))


async def verify_loose_rows(source: Source, size: int, sealed_through: int) -> LooseReport:
    """Verify what belongs to no leaf of a tree of `size` leaves."""
    database = Database(source.dsn, application_name="audit-verify", read_only=True)
    report = LooseReport()
    async with verification.reading(database, snapshot=source.snapshot) as session:
        await _unsealed(session, size, sealed_through, report)
        await _outside(session, sealed_through, report)
        await _orphans(session, report)
        for entry_id in await verification_loose.altered_renderings(session, rows_max=FINDINGS_MAX):
            what = f"a rendering of entry {entry_id} does not lead to its digest"
            index = await verification.index_of(session, entry_id)
            report.findings.append(Finding(Tampering.RENDERING, what, index, entry_id))
        await _tile_count(session, size, report)
        heads = await verification_loose.head_count(session)
        if heads > 1:
            report.findings.append(Finding(Tampering.HEAD, f"log_head has {heads} rows, and readers see any"))
    return report


async def _unsealed(connection: Connection, size: int, sealed_through: int, report: LooseReport) -> None:
    for entry_id in await verification_loose.unsealed(connection, sealed_through, rows_max=FINDINGS_MAX):
        leaf = await verification_loose.next_leaf(connection, entry_id)
        index = size if leaf is None else leaf
        what = f"entry {entry_id} has no leaf, although everything up to entry {sealed_through} is sealed"
        report.unsealed.append(Finding(Tampering.INSERTED, what, index, entry_id))
    report.waiting, altered = await verification_loose.waiting(connection, sealed_through)
    if altered is not None:
        what = f"the payload of entry {altered}, not sealed yet, does not lead to the digest in the entry"
        report.findings.append(Finding(Tampering.PAYLOAD, what, None, altered))


async def _outside(connection: Connection, sealed_through: int, report: LooseReport) -> None:
    last_id = await verification_loose.last_id(connection)
    if sealed_through > last_id:
        what = (
            f"log_head has sealed up to entry {sealed_through}, and the last id that was given is {last_id}"
        )
        report.findings.append(Finding(Tampering.HEAD, what))
        return
    for entry_id in await verification_loose.outside(connection, last_id, rows_max=FINDINGS_MAX):
        what = f"entry {entry_id} is outside of the log, which gave ids up to {last_id} and leaves from 0 on"
        report.findings.append(Finding(Tampering.INSERTED, what, None, entry_id))


async def _orphans(connection: Connection, report: LooseReport) -> None:
    for table, kind in _OF_ENTRIES.items():
        for entry_id in await verification_loose.orphans(connection, table, rows_max=FINDINGS_MAX):
            # With its leaf, the missing entry itself is reported.
            if await verification.index_of(connection, entry_id) is None:
                what = f"{table} has a row of entry {entry_id}, which event_log does not have"
                report.findings.append(Finding(kind, what, None, entry_id))


async def _tile_count(connection: Connection, size: int, report: LooseReport) -> None:
    expected, count = 0, size
    while count := count >> TILE_HEIGHT:
        expected += count
    stored = await verification_loose.tile_count(connection)
    if stored > expected:
        what = f"log_tile has {stored} tiles, and a tree of {size} leaves has {expected}"
        report.findings.append(Finding(Tampering.TILE, what))
