"""Tables `schedule` and `slots_skipped`: since when a schedule is in force, and its times without a run."""

from collections.abc import Sequence
from datetime import datetime

from chassis.postgres import Connection

_FIRST_SEEN = """
WITH entered AS (
    INSERT INTO schedule (cron, time_zone, in_force_since) VALUES ($1, $2, $3)
    ON CONFLICT (cron, time_zone) DO NOTHING
)
SELECT in_force_since FROM schedule WHERE cron = $1 AND time_zone = $2
"""

_LAST_DECIDED = """
SELECT greatest(
    (SELECT max(slot) FROM run WHERE slot <= $1),
    (SELECT max(last_slot) FROM slots_skipped WHERE last_slot <= $1)
)
"""

# Another replica may have noticed the same.
_SKIP = """
INSERT INTO slots_skipped (first_slot, last_slot, slots, made_up_by, noticed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (first_slot) DO NOTHING
RETURNING first_slot
"""


async def in_force_since(connection: Connection, cron: str, time_zone: str, *, now: datetime) -> datetime:
    """Return when a replica first used this schedule; `now` for a new one."""
    since = await connection.fetchval(_FIRST_SEEN, cron, time_zone, now)
    return now if since is None else since


async def last_decided_slot(connection: Connection, *, now: datetime) -> datetime | None:
    """Return the latest slot of any schedule that has a run or was skipped; None without one."""
    return await connection.fetchval(_LAST_DECIDED, now)


async def insert_skipped(
    connection: Connection, slots: Sequence[datetime], *, made_up_by: str | None, now: datetime
) -> bool:
    """Insert slots without a run, in order. Return False if another replica has done it."""
    row = await connection.fetchrow(_SKIP, slots[0], slots[-1], len(slots), made_up_by, now)
    return row is not None
