"""Requests for a sweep by schedule, API or command line, and again after a failed one (REC-13)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Connection, Database
from contracts.metadata import format_time
from reconciler.adapters import sweep_queries, sweeps
from reconciler.adapters.schedule import in_force_since
from reconciler.domain.schedule import due_slots
from reconciler.domain.sweeps import (
    RequestedSweep,
    SweepTrigger,
    sweep_id_of_retry,
    sweep_id_of_slot,
)
from reconciler.handlers.outgoing_events import sweep_requested

LATENESS = timedelta(days=1)
"""A scheduled sweep that no process requested is made up for within this time."""

RETRY_AFTER = timedelta(hours=1)
"""A failed sweep is tried again after this time."""


class SinceInFutureError(ValueError):
    """The sweep shall begin at a time that is still to come."""


async def request_sweep(
    connection: Connection,
    *,
    trigger: SweepTrigger,
    requested_by: str,
    since: datetime | None = None,
    is_dry_run: bool = False,
) -> sweep_queries.SweepRecord:
    """Request a sweep inside the caller's transaction and return it.

    Raises:
        SinceInFutureError: the sweep would look at nothing, and call it checked.
    """
    now = clock.now()
    if since is not None and since > now:
        raise SinceInFutureError(f"expected a time in the past, got {format_time(since)}")
    request = RequestedSweep(
        clock.new_id(), trigger, None, requested_by, now, since=since, is_dry_run=is_dry_run
    )
    await _insert(connection, request)
    sweep = await sweep_queries.get(connection, request.sweep_id)
    assert sweep is not None, "the row was just written"
    return sweep


async def request_due_sweep(
    database: Database, cron: str, zone: ZoneInfo, *, checked_until: datetime | None, now: datetime
) -> str | None:
    """Request the sweep of a due slot, or the repetition of a failed one. Several replicas make one sweep.

    Return the id of the requested sweep; None if none is due, or if it was requested before.

    Args:
        database: of the reconciler.
        cron: in wall-clock time of `zone`.
        zone: of the business.
        checked_until: this process has requested slots up to this time; None after a start.
        now: slots up to this time are due.
    """
    async with database.transaction() as connection:
        since = checked_until or await in_force_since(connection, cron, zone.key, now=now)
        # Earlier slots need no record: a sweep reads on from the last one that finished.
        since = max(since, now - LATENESS)
        slot = due_slots(cron, zone, since=since, now=now, lateness=LATENESS).latest
        failed = await sweep_queries.failed_before(connection, now - RETRY_AFTER)
        if slot is not None:
            request = _request(sweep_id_of_slot(slot), "schedule", slot, now)
        elif failed is not None:
            request = _request(sweep_id_of_retry(failed), "retry", None, now)
        else:
            return None
        return request.sweep_id if await _insert(connection, request) else None


async def _insert(connection: Connection, request: RequestedSweep) -> bool:
    is_new = await sweeps.insert(connection, request)
    if is_new:
        await outbox.append(connection, [sweep_requested(request)])
    return is_new


def _request(sweep_id: str, trigger: SweepTrigger, slot: datetime | None, now: datetime) -> RequestedSweep:
    return RequestedSweep(sweep_id, trigger, slot, trigger, now, since=None, is_dry_run=False)
