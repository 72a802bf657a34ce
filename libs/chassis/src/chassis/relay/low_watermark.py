"""Where a look at a shard may begin, so that it does not walk over deleted rows again and again (B4). Pure.

While any transaction of the server keeps its snapshot, deleted rows cannot be vacuumed, and a look that
begins at the lowest id walks over all of them. A bare cursor (`id > last`) is no way out: ids are drawn
when a row is written and seen when it commits, so it loses rows that commit late (foundations §5).

A floor is such a cursor with a proof. Three facts carry it:

1. Ids come from one sequence without a cache, so every id below one that was seen had been drawn by then.
2. Who writes a row holds a RowExclusiveLock on the table from before it draws the id until after its
   transaction is visible as committed, or is aborted. `pg_locks` shows these locks.
3. So once every transaction has ended that held such a lock when `mark` was seen, each row with an id up
   to `mark` is there for every later look, or will never be. That makes `mark` *settled*.

A look that begins after `mark` is settled and finds no row of a shard up to some id proves that none will
ever come: the shard's floor rises to it. Whoever holds rows back must `reset` before trying them again.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

PREPARED = "-1/"
"""How `pg_locks` names a prepared transaction, which keeps its locks under a name of its own."""


class Floors:
    """The floors of the shards of one relay, kept for as long as its session lasts."""

    def __init__(self) -> None:
        self._floors: dict[int, int] = {}
        self._settled = 0
        self._highest_seen = 0
        self._mark = 0
        self._writers: AbstractSet[str] = frozenset()

    def of(self, shards: Sequence[int]) -> list[int]:
        """For each shard the id below and at which no row of it is to be sent."""
        return [self._floors.get(shard, 0) for shard in shards]

    def reset(self) -> None:
        """Begin at the lowest id again, in every shard."""
        self._floors.clear()

    def looked(self, shards: Sequence[int], lowest: Mapping[int, int], highest: int) -> None:
        """A look at these shards, begun at their floors, has ended.

        Args:
            shards: that were looked at.
            lowest: of each shard in which a row was found, the lowest id.
            highest: of all ids found; 0 if there was none.
        """
        for shard in shards:
            proven = min(self._settled, lowest.get(shard, self._settled + 1) - 1)
            self._floors[shard] = max(self._floors.get(shard, 0), proven)
        self._highest_seen = max(self._highest_seen, highest)

    @property
    def can_rise(self) -> bool:
        """Whether there is anything that `settle` could prove."""
        return self._settled < self._highest_seen

    def settle(self, writers: AbstractSet[str]) -> None:
        """These transactions hold a RowExclusiveLock on the table now, that is after the last look."""
        if self._mark > self._settled and not (self._writers & writers) and not _any_prepared(writers):
            self._settled = self._mark
        if self._mark <= self._settled < self._highest_seen:
            self._mark, self._writers = self._highest_seen, frozenset(writers)


def _any_prepared(writers: AbstractSet[str]) -> bool:
    return any(writer.startswith(PREPARED) for writer in writers)
