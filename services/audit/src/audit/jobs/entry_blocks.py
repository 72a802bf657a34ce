"""Fills the search index of the EventLog."""

import asyncio

from audit.domain.blocks import SettledEntries
from audit.handlers.entry_blocks import count_unindexed, fill_blocks, newest_settled_entry
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause

POLL_SECONDS = 1.0


class SearchIndexer(LoopComponent):
    """Puts new entries into blocks. One of several replicas does it at a time.

    Args:
        database: of audit.
        metrics: `audit_search_unindexed_entries`.
        poll_seconds: time between two polls.
    """

    def __init__(self, database: Database, metrics: Metrics, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.name = "search-index"
        self._database = database
        self._settled = SettledEntries()
        self._poll_seconds = poll_seconds
        self._unindexed = metrics.gauge("search_unindexed_entries")

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            until = await newest_settled_entry(self._database, self._settled)
            while not stopping.is_set() and await self._fill(stopping, until):
                self._loop.recovered()
            self._unindexed.set(await count_unindexed(self._database))
            self._loop.recovered()
            await pause(stopping, self._poll_seconds)

    async def _fill(self, stopping: asyncio.Event, until: int) -> bool:
        """Insert the next blocks, and rest as long as that took: a backlog is being appended beside it."""
        clock = asyncio.get_running_loop().time
        began = clock()
        has_more = await fill_blocks(self._database, until=until)
        if has_more:
            await pause(stopping, clock() - began)
        return has_more
