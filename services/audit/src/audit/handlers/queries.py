"""Queries: entries of the EventLog, values of filters, status histories."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from audit.adapters import event_log_queries, payload_retention, status_history
from audit.adapters.event_log_queries import EntryRecord, ValueField
from audit.adapters.status_history import TransitionRecord
from audit.domain.filters import EntryFilter, Position
from audit.domain.history import MISSING_VERSIONS_SHOWN_MAX, gap_free, missing_versions
from audit.handlers.search import Entries, page_of_entries, position_of
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow

VALUES_MAX = 500
"""Values of one field that an answer names."""

_BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class History:
    """A booking's status history.

    Attributes:
        transitions: by version, up to the first gap.
        oldest_retained: payloads, with reasons of transitions, are kept since then; None: the beginning.
        missing_versions: versions that have not arrived although later ones have.
        waiting_versions: the later versions. Both lists have at most MISSING_VERSIONS_SHOWN_MAX items.
    """

    transitions: Sequence[TransitionRecord | UnreadableRow]
    missing_versions: list[int]
    waiting_versions: list[int]
    oldest_retained: datetime | None

    @property
    def is_complete(self) -> bool:
        """True if no version is missing, and every transition has its payload, with reason and metadata."""
        return not self.missing_versions and not any(
            isinstance(each, TransitionRecord) and each.is_erased for each in self.transitions
        )


@dataclass(frozen=True, slots=True)
class EntryList:
    """A page of entries.

    Attributes:
        complete_until: every entry that matches the filter and was recorded before this time is known. A
            writer that has not committed yet records later.
        oldest_retained: payloads are kept since then; None: since the beginning.
    """

    entries: Entries
    complete_until: datetime
    oldest_retained: datetime | None

    @property
    def is_complete(self) -> bool:
        """True if retention has taken no payload of these entries."""
        since = self.oldest_retained
        return since is None or all(
            position is None or position.recorded_at >= since for position in map(position_of, self.entries)
        )


async def list_entries(
    database: Database, query: EntryFilter, *, after: Position | None, rows_max: int
) -> EntryList:
    """Return entries, newest first, older than the oldest writer that has not committed."""
    async with database.connection() as connection:
        bounded, until = await bounded_query(connection, query)
        entries = await page_of_entries(
            connection, bounded, after=after, rows_max=rows_max, order="newest first"
        )
        retained = await payload_retention.oldest_retained(connection)
    return EntryList(entries, until, retained)


async def bounded_query(connection: Connection, query: EntryFilter) -> tuple[EntryFilter, datetime]:
    """Return the query up to the time before which the log is complete, and this time."""
    until = await event_log_queries.complete_until(connection)
    if query.recorded_to is not None:
        until = min(until, query.recorded_to)
    return replace(query, recorded_to=until), until


async def incomplete_seconds(database: Database) -> float:
    """Return the age of the oldest writer that has not committed; about 0 without one."""
    async with database.connection() as connection:
        until = await event_log_queries.complete_until(connection)
        now = await event_log_queries.database_time(connection)
    return (now - until).total_seconds()


async def get_entry(database: Database, entry_id: int) -> EntryRecord | None:
    """Return one entry; None for an unknown id."""
    if not 0 < entry_id <= _BIGINT_MAX:
        return None
    async with database.connection() as connection:
        return await event_log_queries.entry_by_id(connection, entry_id)


async def list_values(database: Database, fields: Sequence[ValueField]) -> dict[ValueField, list[str]]:
    """Return the values of fields, sorted; one more than VALUES_MAX if there are more."""
    async with database.connection() as connection:
        return {
            field: await event_log_queries.values(connection, field, rows_max=VALUES_MAX + 1)
            for field in fields
        }


async def get_status_history(database: Database, booking_id: str) -> History | None:
    """Return a booking's history up to its first gap; None for an unknown booking."""
    async with database.connection() as connection:
        transitions = await status_history.of_booking(connection, booking_id)
        retained = await payload_retention.oldest_retained(connection)
    if not transitions:
        return None
    versions = [
        int(row.id) if isinstance(row, UnreadableRow) else row.transition.version for row in transitions
    ]
    whole = gap_free(versions)
    return History(
        transitions=transitions[:whole],
        missing_versions=missing_versions(versions),
        waiting_versions=versions[whole:][:MISSING_VERSIONS_SHOWN_MAX],
        oldest_retained=retained,
    )
