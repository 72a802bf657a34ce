"""One change of a booking's status: row, history, reason and event in one statement (BK-2, BK-4, BK-11)."""

from dataclasses import replace

from booking.adapters.booking_rows import to_record
from booking.domain.booking import Booking, Transition
from booking.domain.details import BookingRecord
from chassis.messaging.failures import require_written
from chassis.messaging.outbox import note_write
from chassis.messaging.outbox_templates import RecordTemplate, insert_stamped
from chassis.postgres import Connection, stored_rows
from contracts.ids import BookingId

# xmin names the transaction that wrote this version of the row.
_READ = "SELECT xmin AS row_version, * FROM booking WHERE booking_id = $1"

# The other parts read from `changed`, so that they follow the lock of the row and write nothing without it.
_WRITE = f"""
WITH changed AS (
    UPDATE booking SET
        status = $3,
        version = $4,
        transitions = $5,
        updated_at = clock_timestamp(),
        confirmed_at = CASE
            WHEN $3 = 'pending' THEN NULL
            WHEN $3 = 'confirmed' AND status <> 'confirmed' THEN clock_timestamp()
            ELSE confirmed_at
        END
    WHERE booking_id = $1 AND xmin = $2
    RETURNING booking_id, updated_at, confirmed_at
), appended AS (
    INSERT INTO status_transition (
        booking_id, version, from_status, to_status, changed_by, reason, metadata, is_reason_typed,
        booking_version
    )
    SELECT booking_id, $5, $6, $3, $7, $8, '{{}}', $9::text IS NOT NULL, $4 FROM changed
    RETURNING transition_id, recorded_at
), explained AS (
    INSERT INTO transition_reason (booking_id, version, reason)
    SELECT booking_id, $5, $9 FROM changed WHERE $9::text IS NOT NULL
), sent AS (
    {insert_stamped("appended", event_id="transition_id", time="recorded_at", first=10)}
)
SELECT
    updated_at, confirmed_at,
    (SELECT count(*) FROM appended) AS appended, (SELECT count(*) FROM sent) AS sent
FROM changed
"""  # noqa: S608 - constants


class RowChangedError(Exception):
    """The row of the booking has changed since it was read."""


async def read_version(connection: Connection, booking_id: BookingId) -> tuple[BookingRecord, int] | None:
    """Return a booking and the version of its row, without a lock; None for an unknown id."""
    row = await stored_rows.fetch_one(connection, _READ, booking_id)
    if row is None:
        return None
    return stored_rows.read_row(row, to_record, key="booking_id"), row["row_version"]


async def write_status(
    connection: Connection,
    before: tuple[BookingRecord, int],
    changed: Booking,
    transition: Transition,
    event: RecordTemplate,
) -> BookingRecord:
    """Write a person's change of status with its event, and return the booking.

    Args:
        connection: outside of a transaction, for a statement that is its own.
        before: the booking as `read_version` returned it.
        changed: the booking after the transition.
        transition: the step.
        event: of the transition; id and time are those of its row.

    Raises:
        RowChangedError: another session has written the row since. Nothing was written.
        LostWriteError: not all rows were written.
    """
    record, row_version = before
    row = await connection.fetchrow(
        _WRITE,
        changed.id,
        row_version,
        changed.status.value,
        changed.version,
        transition.version,
        transition.from_status,
        transition.changed_by,
        None if transition.is_reason_typed else transition.reason,
        transition.reason if transition.is_reason_typed else None,
        *event.parameters,
    )
    if row is None:
        raise RowChangedError
    require_written("status_transition", row["appended"], 1)
    require_written("outbox", row["sent"], 1)
    note_write()
    return replace(record, booking=changed, updated_at=row["updated_at"], confirmed_at=row["confirmed_at"])
