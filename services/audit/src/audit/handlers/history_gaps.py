"""Report gaps of histories that wait too long, and gaps that were closed later (AU-2)."""

from dataclasses import dataclass
from datetime import timedelta

from audit.adapters import event_log, history_gaps
from audit.adapters.event_log_queries import database_time
from audit.adapters.history_gaps import WaitingHistory
from audit.domain.entries import Entry, gap_entry, healed_entry
from audit.domain.history_gaps import GapState, classify_gaps
from chassis.postgres import Database

PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class ReportedPage:
    """Result of one page. The next page begins after the booking id `last`; None after the last page."""

    reported: int = 0
    healed: int = 0
    last: str | None = None


async def report_page(database: Database, *, after: str, patience: timedelta) -> ReportedPage:
    """Report the gaps of a page of waiting histories, in one transaction.

    Reports nothing while another process does it.

    Args:
        database: of audit.
        after: booking id at which the previous page ended; "" begins.
        patience: a gap is reported when the version after it has waited this long.
    """
    async with database.transaction() as connection:
        if not await history_gaps.try_lock(connection):
            return ReportedPage()
        histories = await history_gaps.lock_page(connection, after=after, rows_max=PAGE_ROWS)
        now = await database_time(connection)
        states = [
            classify_gaps(
                history.recorded_versions, reported_to=history.reported_to, now=now, patience=patience
            )
            for history in histories
        ]
        page = list(zip(histories, states, strict=True))
        await event_log.append(
            connection, [entry for history, state in page for entry in _entries(history, state)]
        )
        await history_gaps.update(
            connection,
            reported_to={
                history.booking_id: state.reported_to
                for history, state in page
                if not state.is_whole and state.reported_to != history.reported_to
            },
            whole=[history.booking_id for history, state in page if state.is_whole],
        )
    return ReportedPage(
        reported=sum(len(state.overdue) for state in states),
        healed=sum(state.is_healed for state in states),
        last=histories[-1].booking_id if len(histories) == PAGE_ROWS else None,
    )


async def count_waiting(database: Database) -> dict[str, int]:
    """Return the number of histories with a gap, by state: `waiting` (not reported yet) and `reported`."""
    async with database.connection() as connection:
        return await history_gaps.count(connection)


def _entries(history: WaitingHistory, state: GapState) -> list[Entry]:
    origins = {recorded.version: recorded.origin for recorded in history.recorded_versions}
    entries = [gap_entry(history.booking_id, gap, origins[gap.last + 1]) for gap in state.overdue]
    if state.is_healed:
        version = history.reported_to
        entries.append(healed_entry(history.booking_id, version, origins[version]))
    return entries
