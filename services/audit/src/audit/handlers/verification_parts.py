"""Verify a part of the log: leaves of whole tiles with all that hangs on them (AU-4).

A part is verified by a process of its own, so everything that goes in and comes out can be pickled.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from audit.adapters import verification
from audit.adapters.verification import TileRow
from audit.domain.log.canonical import StoredEntry, sealed_form
from audit.domain.log.derived import reports_transition, texts_differ
from audit.domain.log.examination import Dispute, Examined, Leaf, examine
from audit.domain.log.keys import VerifierKey
from audit.domain.log.tampering import Finding, Tampering
from audit.domain.log.tiles import TILE_WIDTH, split_hashes
from audit.domain.log.tree import HASH_BYTES, hash_leaf, root_of
from audit.handlers.kept_checkpoints import Directory, Kept, check_file, check_row
from audit.handlers.verification_history import Transition, check_history
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow

FINDINGS_MAX = 100
DISPUTES_MAX = 1_000
PAGE_TILES = 8
CHECKPOINTS_PAGE = 500

_UNREADABLE = b"?"


@dataclass(frozen=True, slots=True)
class Source:
    """How another process reads the same snapshot."""

    dsn: str
    snapshot: str
    origin: str
    keys: tuple[VerifierKey, ...]
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Leaves of whole tiles, and sizes of trees that end among them.

    Attributes:
        sizes: of checkpoints in the directory, start < size ≤ stop.
        kept: further checkpoints of such sizes, verified.
    """

    start: int
    stop: int
    sizes: tuple[int, ...] = ()
    kept: tuple[Kept, ...] = ()


@dataclass(slots=True)
class PartReport:
    """What a part has.

    Attributes:
        roots: of its tiles, by the entries.
        attested: of its tiles, as they are stored.
        prefixes: by size of a tree that ends within a tile: roots of that tile's leaves up to there, by the
            entries and as stored.
        kept: checkpoints in the database and the directory whose trees end here.
        bad: findings that there are, of which `findings` has the first ones.
    """

    start: int
    stop: int
    roots: list[bytes] = field(default_factory=list[bytes])
    attested: list[bytes] = field(default_factory=list[bytes])
    prefixes: dict[int, tuple[bytes, bytes]] = field(default_factory=dict[int, tuple[bytes, bytes]])
    kept: list[Kept] = field(default_factory=list[Kept])
    findings: list[Finding] = field(default_factory=list[Finding])
    disputes: list[Dispute] = field(default_factory=list[Dispute])
    payloads: int = 0
    bad: int = 0

    def add(self, findings: Sequence[Finding]) -> None:
        self.bad += len(findings)
        self.findings += findings[: FINDINGS_MAX - len(self.findings)]


def verify_part(source: Source, part: Part) -> PartReport:
    """Verify a part in a process of its own."""
    # Nothing here makes cycles, and looking for them takes a tenth of the time.
    gc.disable()
    return asyncio.run(verify_part_here(source, part))


async def verify_part_here(source: Source, part: Part) -> PartReport:
    """Verify a part in this process."""
    database = Database(source.dsn, application_name="audit-verify", read_only=True)
    report = PartReport(part.start, part.stop, kept=list(part.kept))
    async with verification.reading(database, snapshot=source.snapshot, by_pages=True) as session:
        await read_kept(session, source, part, report)
        sizes = sorted({kept.size for kept in report.kept})
        for start in range(part.start, part.stop, PAGE_TILES * TILE_WIDTH):
            stop = min(part.stop, start + PAGE_TILES * TILE_WIDTH)
            await _verify_page(session, start, stop, sizes, report)
    return report


async def read_kept(connection: Connection, source: Source, part: Part, report: PartReport) -> None:
    """Read and verify the kept checkpoints whose trees end in a part."""
    after = report.start
    while rows := await verification.checkpoints(connection, after, report.stop, rows_max=CHECKPOINTS_PAGE):
        for row in rows:
            kept = check_row(row, source.keys, origin=source.origin)
            if isinstance(kept, Finding):
                report.add([kept])
            else:
                report.kept.append(kept)
        after = rows[-1].size
    directory = Directory(source.directory or Path())
    for size in part.sizes:
        path = directory.published(size)
        kept = check_file(path, source.keys, origin=source.origin, size=size)
        if isinstance(kept, Finding):
            report.add([kept])
        else:
            report.kept.append(kept)


async def _verify_page(
    connection: Connection, start: int, stop: int, sizes: Sequence[int], report: PartReport
) -> None:
    tiles = {
        tile.index: tile
        for tile in await verification.tiles(connection, 0, start // TILE_WIDTH, stop // TILE_WIDTH)
    }
    page = await read_page(connection, start, stop)
    report.payloads += page.payloads
    report.add(page.findings)
    damaged: list[Leaf] | None = None if page.is_whole(start, stop) else page.leaves()
    hashes = [] if damaged is not None else [hash_leaf(sealed) for sealed in page.sealed]
    for first in range(start, stop, TILE_WIDTH):
        tile = tiles.get(first // TILE_WIDTH)
        inside = [size for size in sizes if first < size < first + TILE_WIDTH]
        indexes = range(first, first + TILE_WIDTH)
        attested = _hashes_of(tile)
        examined = Examined(list(hashes[first - start : first - start + TILE_WIDTH]))
        if damaged is not None or attested != examined.hashes:
            leaves = [leaf for leaf in damaged or page.leaves() if leaf.index in indexes]
            examined = examine(indexes, leaves, attested)
        _report_tile(first, examined, tile, attested, report)
        hashes_ = [each or bytes(HASH_BYTES) for each in examined.hashes]
        report.prefixes |= {
            size: (root_of(hashes_[: size - first]), root_of((attested or hashes_)[: size - first]))
            for size in inside
        }


def _report_tile(
    first: int, examined: Examined, tile: TileRow | None, attested: Sequence[bytes] | None, report: PartReport
) -> None:
    report.add(examined.findings)
    report.disputes += examined.disputes[: DISPUTES_MAX - len(report.disputes)]
    hashes = [each or bytes(HASH_BYTES) for each in examined.hashes]
    root = root_of(hashes)
    report.roots.append(root)
    report.attested.append(tile.root if tile is not None else root)
    if tile is None or attested is None:
        what = "is missing" if tile is None else "has not 256 hashes"
        report.add([Finding(Tampering.TILE, f"tile 0/{first // TILE_WIDTH} {what}", first)])
    elif not examined.disputes and tile.root != root:
        what = f"tile 0/{first // TILE_WIDTH} has another root than its hashes lead to"
        report.add([Finding(Tampering.TILE, what, first)])


def _hashes_of(tile: TileRow | None) -> list[bytes] | None:
    if tile is None or len(tile.hashes) != TILE_WIDTH * HASH_BYTES:
        return None
    return split_hashes(tile.hashes)


@dataclass(slots=True)
class Page:
    """Leaves with their entries, and what is wrong with payloads and history.

    Attributes:
        indexes, entry_ids, sealed, forms: of the leaves, in order. A form is None for a leaf without entry.
    """

    indexes: list[int] = field(default_factory=list[int])
    entry_ids: list[int] = field(default_factory=list[int])
    sealed: list[bytes] = field(default_factory=list[bytes])
    forms: list[bytes | None] = field(default_factory=list[bytes | None])
    findings: list[Finding] = field(default_factory=list[Finding])
    payloads: int = 0

    def add(self, index: int, entry_id: int, sealed: bytes, form: bytes | None) -> None:
        self.indexes.append(index)
        self.entry_ids.append(entry_id)
        self.sealed.append(sealed)
        self.forms.append(form)

    def is_whole(self, start: int, stop: int) -> bool:
        """Return whether every leaf is there once, and is as its entry says."""
        return self.indexes == list(range(start, stop)) and self.forms == self.sealed

    def leaves(self) -> list[Leaf]:
        return list(map(Leaf, self.indexes, self.entry_ids, self.sealed, self.forms))


async def read_page(connection: Connection, start: int, stop: int) -> Page:
    """Read leaves; check payloads and status history against the entries."""
    page, entries = Page(), list[tuple[int, StoredEntry]]()
    rows = await verification.leaves(connection, start, stop)
    unreadable = [int(row.id) for row in rows if isinstance(row, UnreadableRow)]
    for row in rows:
        if isinstance(row, UnreadableRow):
            continue
        index, entry_id, sealed, columns = row
        if columns is None:
            page.add(index, entry_id, sealed, None)
            continue
        try:
            entry = StoredEntry(*columns)
            form = sealed_form(entry)
        except (ValueError, TypeError, AttributeError, OverflowError):
            page.add(index, entry_id, sealed, _UNREADABLE)
            continue
        page.add(index, entry_id, sealed, form)
        entries.append((index, entry))
    for index, entry_id, sealed in (
        await verification.bare_leaves(connection, unreadable) if unreadable else ()
    ):
        page.add(index, entry_id, sealed, _UNREADABLE)
    await _check_payloads(connection, entries, page)
    return page


async def _check_payloads(
    connection: Connection, entries: Sequence[tuple[int, StoredEntry]], page: Page
) -> None:
    rows = await verification.payloads(connection, [entry.entry_id for _, entry in entries])
    payloads = {row[0]: row for row in rows}
    transitions: list[Transition] = []
    for index, entry in entries:
        payload, body = payloads.get(entry.entry_id), None
        if payload is not None:
            page.payloads += 1
            _, salt, texts, body, digest = payload
            is_same = (digest or sha256(salt + body).digest()) == entry.payload_digest
            if not is_same or (texts is not None and texts_differ(texts, entry)):
                what = f"the payload of entry {entry.entry_id} does not lead to the digest in the entry"
                page.findings.append(Finding(Tampering.PAYLOAD, what, index, entry.entry_id))
        if reports_transition(entry):
            transitions.append((index, entry, body))
    if len(payloads) < len(rows):
        page.findings += _doubled_payloads(entries, [row[0] for row in rows])
    page.findings += await check_history(connection, entries, transitions)


def _doubled_payloads(entries: Sequence[tuple[int, StoredEntry]], ids: Sequence[int]) -> list[Finding]:
    doubled = {entry_id for entry_id, times in Counter(ids).items() if times > 1}
    return [
        Finding(Tampering.PAYLOAD, f"entry {entry.entry_id} has two payloads", index, entry.entry_id)
        for index, entry in entries
        if entry.entry_id in doubled
    ]
