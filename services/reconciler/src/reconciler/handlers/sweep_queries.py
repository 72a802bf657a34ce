"""Queries of sweeps, and the wait for one."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from chassis.process.component import pause
from reconciler.adapters import sweep_queries
from reconciler.adapters.sweep_queries import SweepFound, SweepRecord

FOUND_ROWS_MAX = 1_000
POLL_SECONDS = 0.3
# A running service looks for sweeps once a second.
BEGUN_SECONDS_MAX = 20.0

_ENDED = ("completed", "failed")


class NotBegunError(Exception):
    """No service began the sweep in time."""


async def get_sweep(database: Database, sweep_id: str) -> tuple[SweepRecord, Sequence[SweepFound]] | None:
    """Return one sweep and what it has found; None for an unknown id."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        sweep = await sweep_queries.get(connection, sweep_id)
        if sweep is None:
            return None
        return sweep, await sweep_queries.found(connection, sweep_id, rows_max=FOUND_ROWS_MAX)


async def list_sweeps(
    database: Database, *, before: tuple[datetime, str] | None, rows_max: int
) -> Sequence[SweepRecord | UnreadableRow]:
    """Return sweeps, newest first."""
    async with database.connection() as connection:
        return await sweep_queries.newest(connection, before=before, rows_max=rows_max)


async def wait_for_sweep(
    database: Database,
    sweep_id: str,
    progress: Callable[[SweepRecord], None],
    *,
    begun_seconds_max: float = BEGUN_SECONDS_MAX,
) -> tuple[SweepRecord, Sequence[SweepFound]]:
    """Return the sweep after it has ended, however long it takes.

    Args:
        database: of the reconciler.
        sweep_id: of a requested sweep.
        progress: called with each state of the sweep.
        begun_seconds_max: longest wait for a service to begin it, if no other sweep is running.

    Raises:
        NotBegunError: no service began the sweep in time.
    """
    deadline = time.monotonic() + begun_seconds_max
    while True:
        sweep = await get_sweep(database, sweep_id)
        assert sweep is not None, "sweeps are never deleted"
        progress(sweep[0])
        if sweep[0].status in _ENDED:
            return sweep
        if sweep[0].status == "requested" and time.monotonic() > deadline:
            raise NotBegunError(
                f"sweep {sweep_id}: no service began it within {begun_seconds_max:g} s; is"
                " `reconciler serve` running with STRIPE_API_KEY? The sweep is kept and starts when it is"
            )
        await pause(asyncio.Event(), POLL_SECONDS)
