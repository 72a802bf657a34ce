"""Asking for a run: by schedule, API or CLI, always through the command on Kafka (REC-1)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Database
from reconciler.adapters import run_list, runs
from reconciler.adapters.schedule import in_force_since
from reconciler.domain.runs import Request, Trigger, run_id_of_key, run_id_of_slot
from reconciler.domain.schedule import latest_due
from reconciler.handlers.announcements import run_requested


async def request_run(
    database: Database, *, trigger: Trigger, requested_by: str, idempotency_key: str | None = None
) -> run_list.RunView:
    """Enter a run and its command; the same key gives the same run again."""
    run_id = run_id_of_key(requested_by, idempotency_key) if idempotency_key else clock.new_id()
    request = Request(run_id, trigger, None, requested_by, clock.now())
    await _enter(database, request)
    async with database.connection() as connection:
        run = await run_list.get(connection, run_id)
    assert run is not None, "runs are never deleted"
    return run


async def request_due_run(
    database: Database, cron: str, zone: ZoneInfo, *, checked_until: datetime | None, now: datetime
) -> datetime | None:
    """Fire the slot that is due, if there is one; any number of replicas fire it once. The slot, or None.

    Args:
        database: of the reconciler.
        cron: in wall-clock time of `zone`.
        zone: the business's.
        checked_until: slots up to then were fired by this process; None after a start, when what was
            missed meanwhile is made up for (the latest slot only).
        now: slots up to this moment are due.
    """
    async with database.connection() as connection:
        since = checked_until or await in_force_since(connection, cron, zone.key, now=now)
    slot = latest_due(cron, zone, since=since, now=now)
    if slot is not None:
        await _enter(database, Request(run_id_of_slot(slot), "schedule", slot, "schedule", now))
    return slot


async def _enter(database: Database, request: Request) -> None:
    """The run and its command in one transaction: neither is there without the other."""
    async with database.transaction() as connection:
        if await runs.insert(connection, request):
            await outbox.append(connection, [run_requested(request)])
