"""Low watermark of each shard: a poll starts above it, and skips rows that are already sent (B4). Pure.

While a transaction of the server keeps its snapshot, deleted rows cannot be vacuumed. A poll that starts at
the lowest id reads all of them again. A plain cursor (`id > last`) would lose rows: an id is drawn when its
row is written, and visible when the transaction commits (foundations §5).

The low watermark is a cursor with a proof. It rests on three facts:

1. Ids come from one sequence without a cache. When an id was seen, all lower ids had been drawn.
2. A writer holds a RowExclusiveLock on the table from before it draws the id until after its transaction is
   visible as committed, or is aborted. `pg_locks` shows these locks.
3. So, once all transactions have ended that held such a lock when id `mark` was seen, each row with an id up
   to `mark` is visible to all later polls, or will never exist. Then `mark` is *settled*.

A poll that starts after `mark` is settled, and finds no row of a shard up to some id, proves that there will
never be one. The low watermark of the shard rises to that id. Rows that are held back can be below it:
`reset` before they are tried again.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

PREPARED = "-1/"
"""Prefix in `pg_locks` of a prepared transaction, which keeps its locks under a new name."""


class LowWatermarks:
    """The low watermarks of the shards of one relay, kept as long as its session."""

    def __init__(self) -> None:
        self._watermarks: dict[int, int] = {}
        self._settled = 0
        self._highest_seen = 0
        self._mark = 0
        self._writers: AbstractSet[str] = frozenset()

    def of(self, shards: Sequence[int]) -> list[int]:
        """Return for each shard the highest id that needs no poll."""
        return [self._watermarks.get(shard, 0) for shard in shards]

    def reset(self) -> None:
        """Start again at the lowest id, in all shards."""
        self._watermarks.clear()

    def record_poll(self, shards: Sequence[int], lowest: Mapping[int, int], highest: int) -> None:
        """Record the result of a poll that started at the low watermarks.

        Args:
            shards: the shards that were polled.
            lowest: the lowest id in each shard that has a row.
            highest: the highest id of all rows; 0 if there was none.
        """
        for shard in shards:
            proven = min(self._settled, lowest.get(shard, self._settled + 1) - 1)
            self._watermarks[shard] = max(self._watermarks.get(shard, 0), proven)
        self._highest_seen = max(self._highest_seen, highest)

    @property
    def can_rise(self) -> bool:
        """Return False if `record_writers` has nothing to prove."""
        return self._settled < self._highest_seen

    def record_writers(self, writers: AbstractSet[str]) -> None:
        """Record the transactions that hold a RowExclusiveLock on the table now, after the last poll."""
        if self._mark > self._settled and not (self._writers & writers) and not _any_prepared(writers):
            self._settled = self._mark
        if self._mark <= self._settled < self._highest_seen:
            self._mark, self._writers = self._highest_seen, frozenset(writers)


def _any_prepared(writers: AbstractSet[str]) -> bool:
    return any(writer.startswith(PREPARED) for writer in writers)
