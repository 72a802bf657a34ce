"""Histories that wait too long are reported, and what came after all is told (AU-2)."""

from dataclasses import dataclass
from datetime import timedelta

from audit.adapters import event_log, history_gaps
from audit.adapters.event_log_reading import database_time
from audit.adapters.history_gaps import WaitingHistory
from audit.domain.entries import Entry, gap_entry, healed_entry
from audit.domain.gaps import Verdict, judge
from chassis.postgres import Database

PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """What one page came to. `last` is where the next page goes on; None after the last one."""

    reported: int = 0
    healed: int = 0
    last: str | None = None


async def judge_page(database: Database, *, after: str, patience: timedelta) -> Judged:
    """Judge waiting histories behind a booking id, in one transaction; nothing if another process does."""
    async with database.transaction() as connection:
        if not await history_gaps.try_lock(connection):
            return Judged()
        histories = await history_gaps.hold_page(connection, after=after, rows_max=PAGE_ROWS)
        now = await database_time(connection)
        judged = [
            (history, judge(history.arrivals, reported_to=history.reported_to, now=now, patience=patience))
            for history in histories
        ]
        await event_log.append(connection, [entry for pair in judged for entry in _entries(*pair)])
        await history_gaps.settle(
            connection,
            reported_to={
                history.booking_id: verdict.reported_to
                for history, verdict in judged
                if not verdict.is_whole and verdict.reported_to != history.reported_to
            },
            whole=[history.booking_id for history, verdict in judged if verdict.is_whole],
        )
    return Judged(
        reported=sum(len(verdict.overdue) for _, verdict in judged),
        healed=sum(verdict.is_healed for _, verdict in judged),
        last=histories[-1].booking_id if len(histories) == PAGE_ROWS else None,
    )


async def count_waiting(database: Database) -> dict[str, int]:
    """How many histories wait, by state: `waiting` is not reported yet, `reported` is."""
    async with database.connection() as connection:
        return await history_gaps.count(connection)


def _entries(history: WaitingHistory, verdict: Verdict) -> list[Entry]:
    came = {arrival.version: arrival.origin for arrival in history.arrivals}
    entries = [gap_entry(history.booking_id, gap, came[gap.last + 1]) for gap in verdict.overdue]
    if verdict.is_healed:
        version = history.reported_to
        entries.append(healed_entry(history.booking_id, version, came[version]))
    return entries
