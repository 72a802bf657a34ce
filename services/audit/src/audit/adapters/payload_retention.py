"""Tables `event_payload` by month and `payload_retention`: since when payloads are kept (AU-10)."""

from collections.abc import Collection
from datetime import datetime

from audit.domain.payload_states import PayloadState, payload_state
from chassis.postgres import Connection

_RETAINED_FROM = "SELECT max(retained_from) FROM payload_retention"

_STATES = """
SELECT entry_id, recorded_at, payload.entry_id IS NOT NULL AS is_kept
FROM event_log LEFT JOIN event_payload AS payload USING (entry_id)
WHERE entry_id = ANY($1::bigint[])
"""


async def oldest_retained(connection: Connection) -> datetime | None:
    """Return the time since which payloads are kept; None if none was ever dropped for its age.

    An entry recorded earlier has lost its payload by retention. Entries themselves are kept for ever.
    """
    return await connection.fetchval(_RETAINED_FROM)


async def payload_states(connection: Connection, entry_ids: Collection[int]) -> dict[int, PayloadState]:
    """Return by entry if its payload is kept, was erased, or has expired; unknown entries are missing."""
    if not entry_ids:
        return {}
    rows = await connection.fetch(_STATES, list(entry_ids))
    # Read after the payloads: a month that is dropped in between counts as expired.
    retained_from = await oldest_retained(connection)
    return {
        row["entry_id"]: payload_state(
            is_kept=row["is_kept"], recorded_at=row["recorded_at"], retained_from=retained_from
        )
        for row in rows
    }
