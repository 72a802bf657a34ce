"""Tiles (https://c2sp.org/tlog-tiles): the tree in pieces of 256 hashes, and its right edge.

Tile (level, number) holds the hashes of the subtrees of height 8 · level from 256 · number on. A full
tile never changes.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from audit.domain.log.tree import EMPTY_ROOT, HASH_BYTES, Range, join, root_of, subtrees

TILE_WIDTH = 256
TILE_HEIGHT = 8
LEVEL_MAX = 63


class TileKey(NamedTuple):
    """Place of a tile."""

    level: int
    number: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: 256 hashes, and the root over them, which the level above holds."""

    key: TileKey
    hashes: tuple[bytes, ...]
    root: bytes


class TilePath(NamedTuple):
    """A requested tile. `level` is None for an entry bundle; `width` is 256 for a full tile."""

    level: int | None
    number: int
    width: int


_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)
# 2^63 leaves have 2^55 tiles, an index of 17 digits: six elements.
_PATH_ELEMENTS_MAX = 6


def parse_tile_path(path: str) -> TilePath | None:
    """Read what follows `/tile/` in a URL; None if it is no tile's path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level = None if match["level"] == "entries" else int(match["level"])
    width = int(match["width"]) if match["width"] else TILE_WIDTH
    elements = match["index"].split("/")
    has_leading_zeros = len(elements) > 1 and elements[0] == "x000"
    if (
        has_leading_zeros
        or len(elements) > _PATH_ELEMENTS_MAX
        or (level or 0) > LEVEL_MAX
        or (match["width"] and width >= TILE_WIDTH)
    ):
        return None
    return TilePath(level, int("".join(element.removeprefix("x") for element in elements)), width)


def tile_path(level: int | None, number: int, width: int = TILE_WIDTH) -> str:
    """Return what follows `/tile/` in the URL of a tile."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    elements = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    place = "/".join([*(f"x{element}" for element in elements[:-1]), elements[-1]])
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"{'entries' if level is None else level}/{place}{partial}"


def tile_width(level: int | None, number: int, size: int) -> int:
    """Return how many hashes (or entries) the tile has in a tree of `size` leaves; 0 if it is not there."""
    hashes = size >> (TILE_HEIGHT * (level or 0))
    return max(0, min(TILE_WIDTH, hashes - number * TILE_WIDTH))


def tile_of(height: int, index: int) -> tuple[TileKey, slice]:
    """Return the tile that holds a subtree, and which of its hashes the subtree covers."""
    level, height_in_tile = divmod(height, TILE_HEIGHT)
    first = index << height_in_tile
    at = first % TILE_WIDTH
    return TileKey(level, first // TILE_WIDTH), slice(at, at + (1 << height_in_tile))


def tiles_of(ranges: Iterable[Range]) -> set[TileKey]:
    """Return the tiles that hold the hashes of these ranges."""
    return {tile_of(*subtree)[0] for leaves in ranges for subtree in subtrees(leaves)}


def range_hash(leaves: Range, hashes_of: Callable[[TileKey], Sequence[bytes]]) -> bytes:
    """Return the hash of a range. `hashes_of` gives the hashes of a tile, full or partial."""
    parts: list[bytes] = []
    for subtree in subtrees(leaves):
        key, part = tile_of(*subtree)
        parts.append(root_of(hashes_of(key)[part]))
    return join(parts)


@dataclass(slots=True)
class Edge:
    """The right edge of a tree: what is needed to append leaves, and nothing else.

    Attributes:
        size: number of leaves.
        levels: hashes of the partial tile of each level, from the leaves up; the last ones may be empty.
    """

    size: int = 0
    levels: list[list[bytes]] = field(default_factory=list[list[bytes]])

    def append(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Append leaf hashes. Return the tiles that became full."""
        full: list[Tile] = []
        for leaf in leaves:
            self._append(0, leaf, full)
            self.size += 1
        return full

    def root(self) -> bytes:
        """Return the root of the tree."""
        return join(self.frontier()) if self.size else EMPTY_ROOT

    def frontier(self) -> list[bytes]:
        """Return the roots of the full subtrees that make up the tree, from left to right."""
        hashes: list[bytes] = []
        for row in reversed(self.levels):
            start = 0
            for height in range(TILE_HEIGHT - 1, -1, -1):
                if len(row) & (1 << height):
                    hashes.append(root_of(row[start : start + (1 << height)]))
                    start += 1 << height
        return hashes

    def _append(self, level: int, digest: bytes, full: list[Tile]) -> None:
        if level == len(self.levels):
            self.levels.append([])
        row = self.levels[level]
        row.append(digest)
        if len(row) == TILE_WIDTH:
            index = (self.size + 1 >> (TILE_HEIGHT * (level + 1))) - 1
            tile = Tile(TileKey(level, index), tuple(row), root_of(row))
            full.append(tile)
            row.clear()
            self._append(level + 1, tile.root, full)


def split_hashes(content: bytes) -> list[bytes]:
    """Split the content of a tile into its hashes.

    Raises:
        ValueError: the content is no sequence of hashes.
    """
    if len(content) % HASH_BYTES:
        raise ValueError(f"{len(content)} bytes are no sequence of {HASH_BYTES}-byte hashes")
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return an entry bundle: each entry behind its length in 16 bits, big-endian."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
