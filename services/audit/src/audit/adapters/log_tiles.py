"""Table `log_tile`: full tiles. Partial ones are the hashes of leaves, or the roots of the tiles below."""

from collections.abc import Iterable, Mapping, Sequence

from audit.adapters import log_leaves
from audit.domain.log.tiles import TILE_HEIGHT, TILE_WIDTH, Edge, Tile, TileKey, split_hashes, tile_width
from chassis.postgres import Connection

_INSERT = """
INSERT INTO log_tile (level, tile_index, hashes, root)
SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[])
"""

_FULL = "SELECT hashes FROM log_tile WHERE level = $1 AND tile_index = $2"

_ROOTS = """
SELECT coalesce(string_agg(root, ''::bytea ORDER BY tile_index), ''::bytea)
FROM log_tile WHERE level = $1 AND tile_index >= $2 AND tile_index < $3
"""


async def insert_tiles(connection: Connection, tiles: Sequence[Tile]) -> None:
    """Store full tiles."""
    if tiles:
        columns = [(tile.key.level, tile.key.number, b"".join(tile.hashes), tile.root) for tile in tiles]
        await connection.execute(_INSERT, *zip(*columns, strict=True))


async def tile_hashes(connection: Connection, key: TileKey, width: int) -> list[bytes]:
    """Return the first `width` hashes of a tile; fewer if the log is damaged there."""
    stored: bytes | None = await connection.fetchval(_FULL, *key)
    if stored is not None:
        return split_hashes(stored)[:width]
    first = key.number * TILE_WIDTH
    if key.level == 0:
        return await log_leaves.leaf_hashes(connection, first, first + width)
    return split_hashes(await connection.fetchval(_ROOTS, key.level - 1, first, first + width))


async def read_tiles(
    connection: Connection, keys: Iterable[TileKey], size: int
) -> Mapping[TileKey, list[bytes]]:
    """Return the hashes of tiles as they are in a tree of `size` leaves."""
    return {key: await tile_hashes(connection, key, tile_width(key.level, key.number, size)) for key in keys}


async def read_edge(connection: Connection, size: int) -> Edge:
    """Return the right edge of the tree, from leaves and tiles."""
    edge, level = Edge(size), 0
    while size >> (TILE_HEIGHT * level):
        hashes = size >> (TILE_HEIGHT * level)
        width = hashes % TILE_WIDTH
        edge.levels.append(await _partial(connection, TileKey(level, hashes // TILE_WIDTH), width))
        level += 1
    return edge


async def _partial(connection: Connection, key: TileKey, width: int) -> list[bytes]:
    return await tile_hashes(connection, key, width) if width else []
