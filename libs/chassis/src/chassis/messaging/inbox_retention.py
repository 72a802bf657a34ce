"""Delete old inbox rows. Senders repeat an event for 30 days at most (foundations §6)."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import advisory_locks
from chassis.postgres.database import Database, Session
from chassis.process.component import LoopComponent, pause

_log = get_logger(__name__)

RETENTION_DAYS_MIN = 35
SWEEP_SECONDS = 6 * 3600.0
"""Pause between two sweeps of one replica."""
BATCH_PAGES_MAX = 64
"""Table pages in one DELETE: half a MiB, about five thousand rows."""
BATCH_PAUSE_SECONDS = 0.1

# Scan the table by physical position, without an index on the time: a B-tree would cost every message, and
# a BRIN would soon exclude nothing, because new rows reuse the space of deleted ones (decision 0020).
_DELETE = """
DELETE FROM inbox
WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid
    AND received_at < now() - $3::interval
"""

_PAGES = "SELECT pg_relation_size('inbox') / current_setting('block_size')::bigint"


class InboxSettings(BaseModel):
    """Settings of a service with an inbox. Its settings inherit them before `ServiceSettings`."""

    inbox_retention_days: int = Field(RETENTION_DAYS_MIN, ge=1, le=3_650)

    @property
    def inbox_retention(self) -> timedelta:
        """Return for how long an event is remembered."""
        return timedelta(days=self.inbox_retention_days)

    @field_validator("inbox_retention_days")
    @classmethod
    def _check_minimum(cls, days: int, info: ValidationInfo) -> int:
        if info.data.get("environment") == "production" and days < RETENTION_DAYS_MIN:
            raise ValueError(
                f"{days} days are too few in production: senders may repeat an event for 30 days;"
                f" set {RETENTION_DAYS_MIN} or more"
            )
        return days


class InboxRetention(LoopComponent):
    """Deletes old inbox rows in small batches with pauses, in one replica at a time.

    Args:
        database: the database of the inbox.
        retention: how long an event is remembered, from its insertion.
        metrics: exposes `inbox_rows_removed_total`.
    """

    is_vital = False  # a growing inbox does not stop a service

    def __init__(self, database: Database, retention: timedelta, metrics: Metrics) -> None:
        self.name = "inbox retention"
        self._database = database
        self._retention = retention
        self._removed = metrics.counter("inbox_rows_removed")

    async def sweep(self, stopping: asyncio.Event) -> int | None:
        """Delete the rows beyond the retention in one scan of the table. Return how many.

        Return None if another replica is sweeping. Its advisory lock ends with its session.
        """
        session = await self._database.dedicated()
        try:
            if not await session.fetchval("SELECT pg_try_advisory_lock($1)", advisory_locks.INBOX_RETENTION):
                return None
            return await self._scan(session, stopping)
        finally:
            session.terminate()

    async def _scan(self, session: Session, stopping: asyncio.Event) -> int:
        removed = 0
        for page in range(0, await session.fetchval(_PAGES), BATCH_PAGES_MAX):
            status = await session.execute(_DELETE, page, page + BATCH_PAGES_MAX, self._retention)
            rows = int(status.removeprefix("DELETE "))
            self._removed.inc(rows)
            removed += rows
            await pause(stopping, BATCH_PAUSE_SECONDS)
            if stopping.is_set():
                break
        return removed

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            removed = await self.sweep(stopping)
            if removed:
                _log.info("old inbox rows removed", rows=removed, older_than_days=self._retention.days)
            self._loop.recovered()
            await pause(stopping, SWEEP_SECONDS)
