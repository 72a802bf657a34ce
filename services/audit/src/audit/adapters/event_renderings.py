"""Append-only table `event_rendering`: other renderings of an event in the log (BK-10a)."""

import hashlib
from collections.abc import Collection

from chassis.postgres import Connection

RENDERINGS_PER_ENTRY_MAX = 20
"""An account has at most this many endpoints, each with its own API version."""

_BODIES = "SELECT entry_id, body FROM event_payload WHERE entry_id = ANY($1::bigint[])"

# An erasure locks the table against inserts: an insert that waited for it sees that the payload is gone.
_APPEND = """
INSERT INTO event_rendering (entry_id, body_sha256, body)
SELECT entry_id, body_sha256, body
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS other (entry_id, body_sha256, body)
WHERE EXISTS (SELECT FROM event_payload WHERE event_payload.entry_id = other.entry_id)
    AND $4 > (SELECT count(*) FROM event_rendering AS kept WHERE kept.entry_id = other.entry_id)
ORDER BY entry_id, body_sha256
ON CONFLICT DO NOTHING
"""


async def first_bodies(connection: Connection, entry_ids: Collection[int]) -> dict[int, bytes]:
    """Return the bodies of entries; erased bodies are missing."""
    if not entry_ids:
        return {}
    rows = await connection.fetch(_BODIES, list(entry_ids))
    return {row["entry_id"]: row["body"] for row in rows}


async def append(connection: Connection, renderings: Collection[tuple[int, bytes]]) -> None:
    """Store renderings of entries, each once, at most RENDERINGS_PER_ENTRY_MAX per entry."""
    if not renderings:
        return
    await connection.execute(
        _APPEND,
        [entry_id for entry_id, _ in renderings],
        [hashlib.sha256(body).digest() for _, body in renderings],
        [body for _, body in renderings],
        RENDERINGS_PER_ENTRY_MAX,
    )
