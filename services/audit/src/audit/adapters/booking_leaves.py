"""Entries of one booking with their leaves, and the tiles that prove them (AU-9)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from audit.adapters import log_tiles
from audit.domain.log.tiles import TileKey, tile_width
from chassis.postgres import Connection

_ENTRIES = """
SELECT entry_id, event_type, recorded_at, leaf_index, sealed
FROM event_log LEFT JOIN log_leaf USING (entry_id)
WHERE booking_id = $1
ORDER BY recorded_at, entry_id
LIMIT $2
"""

_PAYLOADS = "SELECT entry_id, salt, body FROM event_payload WHERE entry_id = ANY($1::bigint[])"

_FULL_TILES = """
SELECT level, tile_index, hashes FROM log_tile
JOIN unnest($1::smallint[], $2::bigint[]) AS tile (level, tile_index) USING (level, tile_index)
"""


@dataclass(frozen=True, slots=True)
class BookingEntry:
    """An entry of a booking. `leaf_index` and `sealed` are None until it is sealed."""

    entry_id: int
    event_type: str
    recorded_at: datetime
    leaf_index: int | None
    sealed: bytes | None


async def entries_of(connection: Connection, booking_id: str, *, rows_max: int) -> list[BookingEntry]:
    """Return the entries of a booking, oldest first."""
    rows = await connection.fetch(_ENTRIES, booking_id, rows_max)
    return [BookingEntry(**dict(row)) for row in rows]


async def payloads(connection: Connection, entry_ids: Collection[int]) -> dict[int, tuple[bytes, bytes]]:
    """Return salt and body of the payloads that are still there, by entry id."""
    rows = await connection.fetch(_PAYLOADS, list(entry_ids))
    return {row["entry_id"]: (row["salt"], row["body"]) for row in rows}


async def tiles(connection: Connection, keys: Collection[TileKey], size: int) -> Mapping[TileKey, bytes]:
    """Return the hashes of tiles in a tree of `size` leaves, one after the other."""
    ordered = sorted(keys)
    levels, numbers = [key.level for key in ordered], [key.number for key in ordered]
    full = {
        TileKey(row["level"], row["tile_index"]): row["hashes"]
        for row in await connection.fetch(_FULL_TILES, levels, numbers)
    }
    partial = {
        key: b"".join(await log_tiles.tile_hashes(connection, key, tile_width(key.level, key.number, size)))
        for key in ordered
        if key not in full
    }
    return {**full, **partial}
