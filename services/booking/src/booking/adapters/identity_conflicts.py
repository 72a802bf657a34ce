"""Table `identity_conflict`: other bodies under a known event id, each reported once (BK-10)."""

from collections.abc import Sequence
from datetime import datetime

from chassis.messaging.inbox import Conflict, event_identity
from chassis.postgres import Connection

_INSERT = """
INSERT INTO identity_conflict (source, event_id, body_sha256)
SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::bytea[]) AS row (source, event_id, body_sha256)
ORDER BY source, event_id, body_sha256
ON CONFLICT DO NOTHING
RETURNING source, event_id, body_sha256, recorded_at
"""

ConflictKey = tuple[str, str, bytes]
"""Source, event id, and digest of the body that was not applied."""


def key_of(conflict: Conflict) -> ConflictKey:
    """Return the key of a conflict, the same for each redelivery."""
    return *event_identity(conflict.message), conflict.message.body_sha256


async def insert_conflicts(
    connection: Connection, conflicts: Sequence[Conflict]
) -> dict[ConflictKey, datetime]:
    """Insert new conflicts. Return when each was recorded."""
    if not conflicts:
        return {}
    keys = [key_of(conflict) for conflict in conflicts]
    rows = await connection.fetch(
        _INSERT,
        [source for source, _, _ in keys],
        [event_id for _, event_id, _ in keys],
        [digest for _, _, digest in keys],
    )
    return {(row["source"], row["event_id"], row["body_sha256"]): row["recorded_at"] for row in rows}
