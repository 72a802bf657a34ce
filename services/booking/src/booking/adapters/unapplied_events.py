"""Table `unapplied_event`: Stripe events that are not applied, each reported once (BK-7a, BK-7b)."""

from collections.abc import Sequence
from datetime import datetime

from chassis.postgres import Connection

_INSERT = """
INSERT INTO unapplied_event (source, event_id, reason)
SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[]) AS row (source, event_id, reason)
ORDER BY source, event_id, reason
ON CONFLICT DO NOTHING
RETURNING source, event_id, reason, recorded_at
"""

UnappliedKey = tuple[str, str, str]
"""Source, event id and reason."""


async def insert_unapplied(
    connection: Connection, keys: Sequence[UnappliedKey]
) -> dict[UnappliedKey, datetime]:
    """Insert new keys. Return when each was recorded."""
    if not keys:
        return {}
    sources, event_ids, reasons = zip(*keys, strict=True)
    rows = await connection.fetch(_INSERT, sources, event_ids, reasons)
    return {(row["source"], row["event_id"], row["reason"]): row["recorded_at"] for row in rows}
