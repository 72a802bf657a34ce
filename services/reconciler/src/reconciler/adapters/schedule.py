"""Table `schedule`: time since which each schedule is in force."""

from datetime import datetime

from chassis.postgres import Connection

_FIRST_SEEN = """
WITH entered AS (
    INSERT INTO schedule (cron, time_zone, in_force_since) VALUES ($1, $2, $3)
    ON CONFLICT (cron, time_zone) DO NOTHING
)
SELECT in_force_since FROM schedule WHERE cron = $1 AND time_zone = $2
"""


async def in_force_since(connection: Connection, cron: str, time_zone: str, *, now: datetime) -> datetime:
    """Return when a replica first used this schedule; `now` for a new one."""
    since = await connection.fetchval(_FIRST_SEEN, cron, time_zone, now)
    return now if since is None else since
