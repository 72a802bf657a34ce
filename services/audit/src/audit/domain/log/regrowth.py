"""Grow the tree again from the roots of its tiles, and compare it with what was signed (AU-4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.domain.log.tiles import TILE_WIDTH, Edge, Tile
from audit.domain.log.tree import EMPTY_ROOT, join


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed root, and whether the tree leads to it.

    Attributes:
        place: where it is kept.
        by_entries, by_tiles: the root that the entries, and the stored tiles, lead to.
        after: the largest smaller tree whose signed root was found right; 0 for none.
    """

    size: int
    root: bytes
    place: str
    by_entries: bytes
    by_tiles: bytes
    after: int = 0

    @property
    def is_entries(self) -> bool:
        return self.by_entries == self.root

    @property
    def is_tiles(self) -> bool:
        return self.by_tiles == self.root


@dataclass(slots=True)
class Regrowth:
    """The tree in units of tiles, twice: as the entries make it, and as the stored tiles do."""

    entries: Edge = field(default_factory=Edge)
    tiles: Edge = field(default_factory=Edge)
    _frontiers: tuple[int, list[bytes], list[bytes]] | None = None

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        return self.entries.size * TILE_WIDTH

    def append(self, roots: Sequence[bytes], attested: Sequence[bytes]) -> list[Tile]:
        """Append roots of tiles. Return the tiles above them that became full, by the entries."""
        self.tiles.append(attested)
        return self.entries.append(roots)

    def roots(self, prefix: tuple[bytes, bytes] | None = None) -> tuple[bytes, bytes]:
        """Return both roots; `prefix` has the roots over leaves behind the last whole tile."""
        if self._frontiers is None or self._frontiers[0] != self.entries.size:
            self._frontiers = self.entries.size, self.entries.frontier(), self.tiles.frontier()
        _, entries, tiles = self._frontiers
        if prefix is not None:
            entries, tiles = [*entries, prefix[0]], [*tiles, prefix[1]]
        return (join(entries), join(tiles)) if entries else (EMPTY_ROOT, EMPTY_ROOT)
