"""The queue's clocks: wake sleepers, and publish once what became overdue (REC-9c)."""

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Database
from reconciler.adapters import exception_clocks
from reconciler.adapters.exception_clocks import CLOCKS, NO_ID
from reconciler.domain.clocks import Reading, Targets
from reconciler.handlers.exception_queue import WAKE_ROWS_MAX, wake_sleepers
from reconciler.handlers.outgoing_events import exception_overdue

NOTICE_ROWS_MAX = 500


async def wake_all(database: Database) -> int:
    """Open all suppressed exceptions whose time is up; return how many."""
    total = 0
    while True:
        async with database.transaction() as connection:
            woken = await wake_sleepers(connection, now=clock.now())
        total += woken
        if woken < WAKE_ROWS_MAX:
            return total


async def notice_overdue(database: Database, targets: Targets) -> int:
    """Publish exceptions that became overdue, once per round of work and clock; return how many."""
    total = 0
    for name in CLOCKS:
        after: str | None = NO_ID
        while after is not None:
            now = clock.now()
            async with database.transaction() as connection:
                overdue = await exception_clocks.notice_overdue(
                    connection, name, Reading(now, targets), after=after, rows_max=NOTICE_ROWS_MAX
                )
                events = [exception_overdue(each, name, now=now) for each in overdue if each.is_new]
                await outbox.append(connection, events)
            total += len(events)
            after = overdue[-1].id if len(overdue) == NOTICE_ROWS_MAX else None
    return total
