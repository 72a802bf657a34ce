"""Delete stored answers that are older than the retention (docs/idempotency.md)."""

import asyncio
from datetime import timedelta

from chassis.http.idempotency.requests import RETENTION_DAYS
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import advisory_locks
from chassis.postgres.database import Database
from chassis.process.component import LoopComponent, pause

_log = get_logger(__name__)

SWEEP_SECONDS = 6 * 3600.0
"""Pause between two sweeps of one replica."""
BATCH_ROWS_MAX = 500
BATCH_PAUSE_SECONDS = 0.1

_TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

_DELETE = """
DELETE FROM idempotent_request WHERE scope_sha256 IN (
    SELECT scope_sha256 FROM idempotent_request
    WHERE recorded_at < now() - $1::interval
    ORDER BY recorded_at LIMIT $2
)
"""


class AnswerRetention(LoopComponent):
    """Deletes old answers in small batches with pauses, in one replica at a time.

    Args:
        database: of the service.
        metrics: exposes `idempotent_requests_removed_total`.
    """

    is_vital = False  # a growing table does not stop a service

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self.name = "answer retention"
        self._database = database
        self._removed = metrics.counter("idempotent_requests_removed")

    async def sweep(self, stopping: asyncio.Event) -> int:
        """Delete the answers beyond the retention. Return how many."""
        removed, rows = 0, BATCH_ROWS_MAX
        while rows == BATCH_ROWS_MAX and not stopping.is_set():
            rows = await self._delete()
            self._removed.inc(rows)
            removed += rows
            await pause(stopping, BATCH_PAUSE_SECONDS)
        return removed

    async def _delete(self) -> int:
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_TRY_LOCK, advisory_locks.ANSWER_RETENTION):
                return 0
            status = await connection.execute(_DELETE, timedelta(days=RETENTION_DAYS), BATCH_ROWS_MAX)
        return int(status.removeprefix("DELETE "))

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            removed = await self.sweep(stopping)
            if removed:
                _log.info("old answers removed", rows=removed, older_than_days=RETENTION_DAYS)
            self._loop.recovered()
            await pause(stopping, SWEEP_SECONDS)
