"""Queries of the sealed log: checkpoint, tiles, entry bundles, progress (AU-7)."""

from audit.adapters import log_cosignatures, log_head, log_leaves, log_progress, log_tiles
from audit.adapters.log_progress import UNSEALED_COUNTED_MAX, Progress
from audit.domain.log.tiles import TILE_WIDTH, TileKey, TilePath, bundle, tile_width
from chassis.postgres import Database

__all__ = ["UNSEALED_COUNTED_MAX", "DamagedLogError", "get_checkpoint", "get_tile", "read_progress"]


class DamagedLogError(Exception):
    """Leaves or tiles are missing that the newest checkpoint has."""


async def get_checkpoint(database: Database) -> str | None:
    """Return the newest signed checkpoint, with the cosignatures of witnesses; None before the first."""
    async with database.connection() as connection:
        return await log_cosignatures.read_note(connection, None)


async def get_tile(database: Database, path: TilePath) -> bytes | None:
    """Return the content of a tile or of an entry bundle; None if the tree has none of this width.

    Raises:
        DamagedLogError: parts of it are missing.
    """
    async with database.connection() as connection:
        size = await log_head.tree_size(connection) or 0
        if path.width > tile_width(path.level, path.number, size):
            return None
        if path.level is None:
            first = path.number * TILE_WIDTH
            parts = await log_leaves.sealed_forms(connection, first, first + path.width)
        else:
            parts = await log_tiles.tile_hashes(connection, TileKey(path.level, path.number), path.width)
    if len(parts) != path.width:
        raise DamagedLogError
    return bundle(parts) if path.level is None else b"".join(parts)


async def read_progress(database: Database) -> Progress:
    """Return how far the log is sealed."""
    async with database.connection() as connection:
        return await log_progress.read_progress(connection)
