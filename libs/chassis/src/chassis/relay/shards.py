"""Which shards of an outbox a relay owns: session advisory locks, shared out evenly among those alive.

Every relay holds one lock together with all others: the number of its holders is the number of relays that
are alive. From it each computes the same fair share, gives up what it has beyond it, and takes what is
free up to it. It also ends those that no longer answer the database. All of this runs on the
session that moves the rows, so whoever loses the session has lost the locks too, and the others see it at
the same moment.
"""

from datetime import timedelta

from chassis.messaging.outbox import SHARDS
from chassis.observability.logs import get_logger
from chassis.postgres.advisory_locks import OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS
from chassis.postgres.database import Session

_log = get_logger(__name__)

UNRESPONSIVE_MAX = timedelta(seconds=3.5)
"""A relay whose query waits this long for the relay itself is ended by the others."""

_JOIN = "SELECT pg_advisory_lock_shared($1, $2)"

_MEMBERS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# The shards come as a list of those not owned: a lock that is taken twice must be released twice.
_TAKE = "SELECT shard FROM unnest($2::integer[]) AS shard WHERE pg_try_advisory_lock($1, shard) LIMIT $3"

_RELEASE = "SELECT pg_advisory_unlock($1, shard) FROM unnest($2::integer[]) AS shard"

# Such a session is not idle, so `idle_session_timeout` does not end it: its client was stopped or cut off in
# the middle of an answer (ClientWrite), or between two messages of one query (ClientRead).
_END_UNRESPONSIVE = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND state = 'active' AND wait_event_type = 'Client' AND clock_timestamp() - query_start > $3
"""


def fair_share(members: int) -> int:
    """How many shards each of so many relays may own: together at least all of them."""
    return -(-SHARDS // max(1, members))


class Shards:
    """The shards owned by one session.

    Args:
        session: dedicated to one relay; its end releases everything.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.owned: list[int] = []

    async def join(self) -> None:
        """Be counted among the relays that are alive."""
        await self._session.execute(_JOIN, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS)

    async def balance(self, *, may_release: bool) -> None:
        """Take what is free, or give up what is too much; call it between two batches only.

        Args:
            may_release: whether the broker has answered for everything that was handed to it.
        """
        members: int = await self._session.fetchval(_MEMBERS, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS)
        await self._session.execute(_END_UNRESPONSIVE, OUTBOX_RELAY, OUTBOX_RELAY_MEMBERS, UNRESPONSIVE_MAX)
        share = fair_share(members)
        if len(self.owned) < share and len(self.owned) < SHARDS:
            await self._take(share - len(self.owned), members)
        elif len(self.owned) > share and may_release:
            await self._release(self.owned[share:], members)

    async def _take(self, count: int, members: int) -> None:
        others = [shard for shard in range(SHARDS) if shard not in self.owned]
        rows = await self._session.fetch(_TAKE, OUTBOX_RELAY, others, count)
        if rows:
            self.owned += [row["shard"] for row in rows]
            _log.info("relay took shards", taken=len(rows), owned=len(self.owned), relays=members)

    async def _release(self, excess: list[int], members: int) -> None:
        await self._session.execute(_RELEASE, OUTBOX_RELAY, excess)
        self.owned = [shard for shard in self.owned if shard not in excess]
        _log.info("relay gave up shards", given_up=len(excess), owned=len(self.owned), relays=members)
