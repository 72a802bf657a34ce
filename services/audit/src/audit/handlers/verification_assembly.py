"""Put the parts of a verification together in order, and finish what no part covers (AU-4)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.adapters import verification
from audit.domain.log.checkpoints import Checkpoint
from audit.domain.log.examination import Dispute
from audit.domain.log.heads import CheckedHead
from audit.domain.log.regrowth import Regrowth, Signed
from audit.domain.log.tails import Tail, examine_tail
from audit.domain.log.tampering import Finding, Tampering
from audit.domain.log.tiles import TILE_HEIGHT, TILE_WIDTH, Edge, Tile
from audit.domain.log.tree import HASH_BYTES, hash_leaf, root_of
from audit.handlers.kept_checkpoints import Directory, Kept
from audit.handlers.verification_parts import (
    DISPUTES_MAX,
    FINDINGS_MAX,
    Part,
    PartReport,
    Source,
    read_kept,
    read_page,
)
from chassis.postgres import Connection


@dataclass(slots=True)
class State:
    """What is known while parts are put together, in order."""

    regrowth: Regrowth
    findings: list[Finding] = field(default_factory=list[Finding])
    disputes: list[Dispute] = field(default_factory=list[Dispute])
    differing: list[Signed] = field(default_factory=list[Signed])
    # The largest tree that was found right, and the one before.
    matched: tuple[int, int] = 0, 0
    kept: int = 0
    outside: int = 0
    payloads: int = 0
    bad: int = 0
    tail: set[bytes] = field(default_factory=set[bytes])

    def add(self, findings: Sequence[Finding], bad: int | None = None) -> None:
        self.bad += len(findings) if bad is None else bad
        self.findings += findings[: max(0, FINDINGS_MAX - len(self.findings))]

    def matched_before(self, size: int) -> int:
        """Return the largest smaller tree that was found right."""
        return self.matched[0] if self.matched[0] < size else self.matched[1]

    def compare(self, kept: Kept, prefix: tuple[bytes, bytes] | None) -> Signed:
        """Compare a signed root with the tree as it has grown so far, and a prefix of the next tile."""
        signed = Signed(
            kept.size, kept.root, kept.place, *self.regrowth.roots(prefix), self.matched_before(kept.size)
        )
        self.kept += 1
        self.outside += kept.is_outside
        if not signed.is_entries:
            self.differing += [signed] if len(self.differing) < FINDINGS_MAX else []
        elif kept.size > self.matched[0]:
            self.matched = kept.size, self.matched[0]
        return signed


@dataclass(frozen=True, slots=True)
class Scope:
    """What one verification works on."""

    session: Connection
    source: Source
    head: CheckedHead
    leaves: int
    directory: Directory
    kept: Sequence[Kept]
    since: Checkpoint | None
    part_leaves: int

    @property
    def size(self) -> int:
        """Return the size of the tree; without a signed head, that of the leaves that are there."""
        return self.head.row.size if self.head.row and self.head.is_signed else self.leaves

    @property
    def start(self) -> int:
        return 0 if self.since is None else min(self.since.size, self.stop) // TILE_WIDTH * TILE_WIDTH

    @property
    def stop(self) -> int:
        return min(self.size, self.leaves)

    @property
    def whole(self) -> int:
        return self.stop // TILE_WIDTH * TILE_WIDTH

    def part(self, start: int, stop: int) -> Part:
        first, end = bisect_right(self.directory.sizes, start), bisect_right(self.directory.sizes, stop)
        sizes = tuple(self.directory.sizes[first:end])
        return Part(start, stop, sizes, tuple(each for each in self.kept if start < each.size <= stop))


async def begin(scope: Scope, state: State) -> None:
    """Take the tree before the first leaf to verify from the stored tiles."""
    if scope.start:
        edge, level, count = Edge(scope.start // TILE_WIDTH), 0, scope.start // TILE_WIDTH
        while count:
            width = count % TILE_WIDTH
            tiles = await verification.tiles(scope.session, level, count - width, count) if width else []
            edge.levels.append([tile.root for tile in tiles])
            level, count = level + 1, count >> TILE_HEIGHT
        state.regrowth = Regrowth(edge, Edge(edge.size, [list(row) for row in edge.levels]))
    for kept in scope.kept:
        if kept.size == scope.start:
            state.compare(kept, None)


async def put_together(connection: Connection, report: PartReport, state: State) -> None:
    """Append the tiles of a part, and compare the roots that were signed on the way."""
    state.payloads += report.payloads
    state.add(report.findings, report.bad)
    state.disputes += report.disputes[: DISPUTES_MAX - len(state.disputes)]
    done = 0
    for kept in sorted(report.kept, key=lambda each: each.size):
        tiles = (kept.size - report.start) // TILE_WIDTH
        await _append(connection, report, done, tiles, state)
        done = tiles
        state.compare(kept, report.prefixes.get(kept.size))
    await _append(connection, report, done, len(report.roots), state)


async def _append(connection: Connection, report: PartReport, done: int, tiles: int, state: State) -> None:
    for tile in state.regrowth.append(report.roots[done:tiles], report.attested[done:tiles]):
        await _check_tile(connection, tile, state)


async def _check_tile(connection: Connection, tile: Tile, state: State) -> None:
    """Compare a tile above the leaves; in units of tiles its level is one lower."""
    level, number = tile.key.level + 1, tile.key.number
    stored = await verification.tiles(connection, level, number, number + 1)
    is_same = bool(stored) and (stored[0].hashes, stored[0].root) == (b"".join(tile.hashes), tile.root)
    # Above a disputed leaf the tiles differ as well: the leaf is what is reported.
    if not is_same and not state.disputes:
        index = number << (TILE_HEIGHT * (level + 1))
        state.add([Finding(Tampering.TILE, f"tile {level}/{number} differs from the tiles below it", index)])


async def verify_tail(scope: Scope, state: State) -> Signed | None:
    """Verify the leaves behind the last full tile. Return the newest checkpoint compared with the tree."""
    page = await read_page(scope.session, scope.whole, scope.whole + 2 * TILE_WIDTH)
    is_complete, leaves = scope.stop == scope.size, page.leaves()
    is_known = scope.size - scope.whole < TILE_WIDTH
    tail = Tail(
        range(scope.whole, scope.size if is_known else scope.stop),
        leaves,
        scope.head.tail() if is_known else None,
        await verification.doubled(scope.session, [leaf.entry_id for leaf in leaves]),
    )
    examined = examine_tail(tail)
    state.tail = {hash_leaf(leaf.sealed) for leaf in tail.leaves}
    state.payloads += page.payloads
    # What is missing at the end is one finding, and not one for each leaf.
    is_here = [finding for finding in examined.findings if (finding.index or 0) < scope.stop]
    state.add([*is_here, *page.findings])
    hashes = [each or bytes(HASH_BYTES) for each in examined.hashes[: scope.stop - scope.whole]]
    part = scope.part(scope.whole, scope.stop)
    report = PartReport(part.start, part.stop, kept=list(part.kept))
    await read_kept(scope.session, scope.source, part, report)
    state.add(report.findings, report.bad)
    for kept in sorted(report.kept, key=lambda each: each.size):
        prefix = root_of(hashes[: kept.size - scope.whole])
        state.compare(kept, (prefix, prefix))
    row = scope.head.row
    if row is None or not scope.head.is_signed or not is_complete:
        return None
    root = root_of(hashes)
    prefix = (root, root) if hashes else None
    return Signed(
        row.size, row.root, "log_head", *state.regrowth.roots(prefix), state.matched_before(row.size)
    )


async def compare_beyond(scope: Scope, state: State) -> None:
    """Compare the end of the log with the newest checkpoint, and with larger ones that are kept."""
    if scope.size > scope.leaves:
        what = f"the newest checkpoint has {scope.size} leaves, and log_leaf ends before leaf {scope.leaves}"
        state.add([Finding(Tampering.TAIL, what, scope.leaves)])
    largest = await _largest_kept(scope, state)
    if largest is not None and largest.size > scope.size:
        what = f"{largest.place} has {largest.size} leaves, and the newest checkpoint {scope.size}"
        kind = Tampering.HEAD if scope.leaves >= largest.size else Tampering.TAIL
        state.add([Finding(kind, what, scope.size)])
    elif scope.leaves > scope.size:
        what = f"log_leaf has leaf {scope.leaves - 1}, and the newest checkpoint only {scope.size} leaves"
        state.add([Finding(Tampering.INSERTED, what, scope.size)])


async def _largest_kept(scope: Scope, state: State) -> Kept | None:
    """Return the checkpoint of the largest tree, of those beyond the end of the log."""
    files = tuple(size for size in scope.directory.sizes[-1:] if size > scope.stop)
    part = Part(scope.stop, await verification.kept_end(scope.session), files)
    report = PartReport(part.start, part.stop, kept=[kept for kept in scope.kept if kept.size > scope.stop])
    await read_kept(scope.session, scope.source, part, report)
    state.add(report.findings, report.bad)
    return max(report.kept, key=lambda kept: kept.size, default=None)
