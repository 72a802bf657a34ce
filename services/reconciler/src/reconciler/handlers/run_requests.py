"""Requests for a run by schedule, API or CLI, always through the command on Kafka (REC-1)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.messaging import outbox
from chassis.observability.logs import get_logger
from chassis.postgres import Connection, Database
from reconciler.adapters import run_queries, runs, schedule
from reconciler.domain.runs import RequestedRun, Trigger, run_id_of_slot
from reconciler.domain.schedule import due_slots
from reconciler.domain.scopes import ALL, Scope
from reconciler.handlers.outgoing_events import run_requested, slots_skipped

_log = get_logger(__name__)


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
            missed slot is made up for and the others are recorded as skipped.
        now: slots up to this time are due.
        lateness: a slot missed longer ago is not made up for.
    """
    since = checked_until or await _undecided_since(database, cron, zone, now=now)
    due = due_slots(cron, zone, since=since, now=now, lateness=lateness)
    slot, run_id = due.latest, None
    if slot is not None or due.skipped:
        async with database.transaction() as connection:
            if slot is not None:
                run_id = run_id_of_slot(slot)
                await _insert(connection, RequestedRun(run_id, "schedule", slot, "schedule", now))
            if due.skipped:
                await _skip(connection, due.skipped, made_up_by=run_id, now=now)
    return slot


async def _undecided_since(database: Database, cron: str, zone: ZoneInfo, *, now: datetime) -> datetime:
    async with database.connection() as connection:
        in_force = await schedule.in_force_since(connection, cron, zone.key, now=now)
        decided = await schedule.last_decided_slot(connection, now=now)
    return in_force if decided is None else max(in_force, decided)


async def _skip(
    connection: Connection, slots: Sequence[datetime], *, made_up_by: str | None, now: datetime
) -> None:
    run_ids = {slot: UUID(run_id_of_slot(slot)) for slot in slots}
    # While this process stood still, another one may have requested some.
    requested = await runs.known(connection, list(run_ids.values()))
    skipped = [slot for slot, run_id in run_ids.items() if run_id not in requested]
    if skipped and await schedule.insert_skipped(connection, skipped, made_up_by=made_up_by, now=now):
        _log.warning(
            "slots of the schedule were missed: no process requested their runs",
            first_slot=skipped[0].isoformat(),
            last_slot=skipped[-1].isoformat(),
            slots=len(skipped),
            made_up_by=made_up_by,
        )
        await outbox.append(connection, [slots_skipped(skipped, made_up_by=made_up_by, now=now)])


async def _insert(connection: Connection, request: RequestedRun) -> None:
    if await runs.insert(connection, request):
        await outbox.append(connection, [run_requested(request)])
