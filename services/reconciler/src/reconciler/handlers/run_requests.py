"""Requests for a run by schedule, API or CLI, always through the command on Kafka (REC-1)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Connection, Database
from reconciler.adapters import run_queries, runs
from reconciler.adapters.schedule import in_force_since
from reconciler.domain.runs import RequestedRun, Trigger, run_id_of_slot
from reconciler.domain.schedule import latest_due
from reconciler.domain.scopes import ALL, Scope
from reconciler.handlers.outgoing_events import run_requested


async def request_run(
    connection: Connection,
    *,
    trigger: Trigger,
    requested_by: str,
    scope: Scope = ALL,
    is_dry_run: bool = False,
) -> run_queries.RunRecord:
    """Request a run inside the caller's transaction and return it."""
    request = RequestedRun(clock.new_id(), trigger, None, requested_by, clock.now(), scope, is_dry_run)
    await _insert(connection, request)
    run = await run_queries.get(connection, request.run_id)
    assert run is not None, "the row was just written"
    return run


async def request_due_run(
    database: Database,
    cron: str,
    zone: ZoneInfo,
    *,
    checked_until: datetime | None,
    now: datetime,
    lateness: timedelta,
) -> datetime | None:
    """Request the run of the due slot and return the slot; None without one. Several replicas make one run.

    Args:
        database: of the reconciler.
        cron: in wall-clock time of `zone`.
        zone: of the business.
        checked_until: this process has requested slots up to this time; None after a start, when the latest
            missed slot is made up for.
        now: slots up to this time are due.
        lateness: a slot missed longer ago is not made up for.
    """
    async with database.connection() as connection:
        since = checked_until or await in_force_since(connection, cron, zone.key, now=now)
    slot = latest_due(cron, zone, since=since, now=now, lateness=lateness)
    if slot is not None:
        async with database.transaction() as connection:
            await _insert(connection, RequestedRun(run_id_of_slot(slot), "schedule", slot, "schedule", now))
    return slot


async def _insert(connection: Connection, request: RequestedRun) -> None:
    if await runs.insert(connection, request):
        await outbox.append(connection, [run_requested(request)])
