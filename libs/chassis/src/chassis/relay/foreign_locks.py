"""Shard locks held by sessions that are not relays: no relay can own those shards, and their events wait.

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
"""Shards without a relay for longer are reported. A take-over lasts a few seconds."""

_OWNED = """
WITH held AS (
    SELECT objid, pid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = $1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT count(DISTINCT objid) FROM held
WHERE objid < $3 AND pid IN (SELECT pid FROM held WHERE objid = $2)
"""

_FOREIGN_LOCKS = """
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
class ForeignLock:
    """A shard lock held by a session that is not a relay."""

    shard: int
    pid: int
    role: str | None
    application_name: str | None


async def read_foreign_locks(connection: Connection) -> list[ForeignLock]:
    """Return the shard locks held by sessions that are not relays, ordered by session."""
    rows = await connection.fetch(_FOREIGN_LOCKS, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS, SHARDS)
    return [ForeignLock(**row) for row in rows]


def describe_foreign_locks(locks: Sequence[ForeignLock]) -> str:
    """Return in one phrase which sessions hold how many shard locks."""
    phrases: list[str] = []
    for pid, group in groupby(locks, key=lambda lock: lock.pid):
        first, *more = group
        phrases.append(
            f"pid {pid} (role {first.role}, {first.application_name or 'no name'}) holds {len(more) + 1}"
        )
    return ", ".join(phrases)


class ShardWatch:
    """Detects shards that no relay has owned for `UNOWNED_SECONDS_MAX`.

    Args:
        session: of the relay.

    Attributes:
        unowned: how many such shards the last poll found.
        problem: the same in words, with the sessions that hold the locks; empty if there is none.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._unowned_since: float | None = None
        self.unowned = 0
        self.problem = ""

    async def poll(self) -> None:
        """Count the shards that relays own. Call it between two batches."""
        owned: int = await self._session.fetchval(_OWNED, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS, SHARDS)
        now = time.monotonic()
        self._unowned_since = None if owned == SHARDS else self._unowned_since or now
        if self._unowned_since is None or now - self._unowned_since < UNOWNED_SECONDS_MAX:
            self.unowned, self.problem = 0, ""
            return
        self.unowned = SHARDS - owned
        holders = describe_foreign_locks(await read_foreign_locks(self._session)) or "nobody holds them"
        self.problem = f"no relay owns {self.unowned} of {SHARDS} shards, their events wait: {holders}"
