"""A whole log as files, as C2SP tlog-tiles lays it out: for verifiers that read a directory."""

from collections.abc import Sequence
from pathlib import Path

from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.keys import SigningKey
from audit.domain.log.tiles import TILE_HEIGHT, TILE_WIDTH, Edge, bundle, tile_path
from audit.domain.log.tree import hash_leaf

ORIGIN = "plumbline.local/audit"
SIGNED_AT = 1_700_000_000


def write_log(directory: Path, entries: Sequence[bytes], keys: Sequence[SigningKey]) -> None:
    """Write checkpoint, tiles and entry bundles of a log of these sealed entries."""
    edge = Edge()
    for tile in edge.append([hash_leaf(entry) for entry in entries]):
        _write(directory, tile_path(tile.key.level, tile.key.number), b"".join(tile.hashes))
    for level, row in enumerate(edge.levels):
        if row:
            number = (edge.size >> (TILE_HEIGHT * level)) // TILE_WIDTH
            _write(directory, tile_path(level, number, len(row)), b"".join(row))
    for first in range(0, len(entries), TILE_WIDTH):
        part = entries[first : first + TILE_WIDTH]
        _write(directory, tile_path(None, first // TILE_WIDTH, len(part)), bundle(part))
    checkpoint = Checkpoint(ORIGIN, edge.size, edge.root())
    directory.mkdir(exist_ok=True)
    (directory / "checkpoint").write_text(str(sign_checkpoint(checkpoint, keys, time=SIGNED_AT)))


def _write(directory: Path, path: str, content: bytes) -> None:
    file = directory / "tile" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
