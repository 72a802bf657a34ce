"""Sessions that hold a shard's lock and are no relay: the events of that shard wait.

Advisory locks are open to every role that may call their functions, and to every administrator.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from chassis.messaging.outbox import SHARDS
from chassis.postgres.advisory_locks import OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS
from chassis.postgres.database import Connection, Session

UNOWNED_SECONDS_MAX = 10.0
"""A shard changes hands within a few seconds; one that no relay owns for longer is reported."""

_OWNED = """
WITH held AS (
    SELECT objid, pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = $1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT count(DISTINCT objid) FROM held
WHERE objid < $3 AND pid IN (SELECT pid FROM held WHERE objid = $2)
"""

_STRANGERS = """
WITH held AS (
    SELECT objid, pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = $1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT objid::integer AS shard, pid, usename AS role, application_name
FROM held LEFT JOIN pg_stat_activity USING (pid)
WHERE objid < $3 AND pid NOT IN (SELECT pid FROM held WHERE objid = $2)
ORDER BY pid, shard
"""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A session that holds a shard's lock and is no relay."""

    shard: int
    pid: int
    role: str | None
    application_name: str | None


async def read_strangers(connection: Connection) -> list[Stranger]:
    """Return who holds shards without being a relay, by session."""
    rows = await connection.fetch(_STRANGERS, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS, SHARDS)
    return [Stranger(**row) for row in rows]


def describe_strangers(strangers: Sequence[Stranger]) -> str:
    """Return in one phrase which sessions hold how many shards."""
    told: list[str] = []
    for pid, held in groupby(strangers, key=lambda stranger: stranger.pid):
        first, *more = held
        told.append(
            f"pid {pid} (role {first.role}, {first.application_name or 'no name'}) holds {len(more) + 1}"
        )
    return ", ".join(told)


class ShardWatch:
    """Notices shards that no relay has owned for a while.

    Args:
        session: the relay's own.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._unowned_since: float | None = None
        self.unowned = 0
        self.trouble = ""

    async def look(self) -> None:
        """Count the shards of all relays; call it every now and then, between two batches."""
        owned: int = await self._session.fetchval(_OWNED, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS, SHARDS)
        now = time.monotonic()
        self._unowned_since = None if owned == SHARDS else self._unowned_since or now
        if self._unowned_since is None or now - self._unowned_since < UNOWNED_SECONDS_MAX:
            self.unowned, self.trouble = 0, ""
            return
        self.unowned = SHARDS - owned
        holders = describe_strangers(await read_strangers(self._session)) or "nobody holds them"
        self.trouble = f"no relay owns {self.unowned} of {SHARDS} shards, their events wait: {holders}"
