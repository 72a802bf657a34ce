"""Shards of an outbox that a relay owns: session advisory locks, shared evenly among the running relays.

All relays share one lock. The number of its holders is the number of running relays. From this number each
relay computes the same fair share, releases shards beyond it and claims free shards up to it. A relay also
ends sessions of relays that no longer answer the database. All statements run on the session that publishes
the
rows: a relay that loses its session loses its locks at the same moment, and the other relays see that.
"""

from datetime import timedelta

from chassis.messaging.outbox import SHARDS
from chassis.observability.logs import get_logger
from chassis.postgres.advisory_locks import OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS
from chassis.postgres.database import Session

_log = get_logger(__name__)

UNRESPONSIVE_MAX = timedelta(seconds=3.5)
"""After this wait of a query for its own client, other relays end the session."""

_JOIN = "SELECT pg_advisory_lock_shared($1, $2)"

_MEMBERS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# $2 has no shard that is already owned: a lock that is taken twice must be released twice.
_CLAIM = "SELECT shard FROM unnest($2::integer[]) AS shard WHERE pg_try_advisory_lock($1, shard) LIMIT $3"

_RELEASE = "SELECT pg_advisory_unlock($1, shard) FROM unnest($2::integer[]) AS shard"

# Such a session is not idle, so `idle_session_timeout` does not end it. Its client was stopped or cut off
# while it read an answer (ClientWrite), or between two messages of one query (ClientRead).
_END_UNRESPONSIVE = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND state = 'active' AND wait_event_type = 'Client' AND clock_timestamp() - query_start > $3
"""


def fair_share(members: int) -> int:
    """Return how many shards each relay may own. All relays together may own at least all shards."""
    return -(-SHARDS // max(1, members))


class Shards:
    """The shards owned by one relay.

    Args:
        session: dedicated to the relay. Its end releases all locks.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.owned: list[int] = []

    async def join(self) -> None:
        """Take the shared lock, so that other relays count this one."""
        await self._session.execute(_JOIN, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS)

    async def rebalance(self, *, may_release: bool) -> None:
        """Claim free shards, or release shards beyond the fair share. Call it between two batches only.

        Args:
            may_release: True if no record of the owned shards is still without an answer of the broker.
        """
        members: int = await self._session.fetchval(_MEMBERS, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS)
        await self._session.execute(_END_UNRESPONSIVE, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS, UNRESPONSIVE_MAX)
        share = fair_share(members)
        if len(self.owned) < share and len(self.owned) < SHARDS:
            await self._claim(share - len(self.owned), members)
        elif len(self.owned) > share and may_release:
            await self._release(self.owned[share:], members)

    async def _claim(self, count: int, members: int) -> None:
        candidates = [shard for shard in range(SHARDS) if shard not in self.owned]
        rows = await self._session.fetch(_CLAIM, OUTBOX_RELAY, candidates, count)
        if rows:
            self.owned += [row["shard"] for row in rows]
            _log.info("relay claimed shards", claimed=len(rows), owned=len(self.owned), relays=members)

    async def _release(self, excess: list[int], members: int) -> None:
        await self._session.execute(_RELEASE, OUTBOX_RELAY, excess)
        self.owned = [shard for shard in self.owned if shard not in excess]
        _log.info("relay released shards", released=len(excess), owned=len(self.owned), relays=members)
