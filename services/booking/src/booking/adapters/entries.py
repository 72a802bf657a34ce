"""Table `money_entry`: money that people entered, append-only."""

import asyncpg

from booking.domain.entries import OFFICE, Entry
from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.money import Money

TABLE = "money_entry"

_INSERT = """
INSERT INTO money_entry (
    entry_id, booking_id, amount, currency, method, received_at, entered_by, reverses
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_INSERT_REASON = "INSERT INTO money_entry_reason (entry_id, reason) VALUES ($1, $2)"

_FIND = """
SELECT
    payment.provider, entry.*,
    EXISTS (SELECT FROM money_entry WHERE reverses = entry.entry_id) AS is_reversed
FROM payment LEFT JOIN money_entry AS entry ON entry.entry_id = payment.provider_payment_id
WHERE payment.booking_id = $1 AND payment.payment_id = $2
"""


async def insert_entry(connection: Connection, entry: Entry) -> None:
    """Append an entry with its reason."""
    status = await connection.execute(
        _INSERT,
        entry.entry_id,
        entry.booking_id,
        entry.amount.amount,
        entry.amount.currency,
        entry.method,
        entry.received_at,
        entry.entered_by,
        entry.reverses,
    )
    require_written(TABLE, int(status.removeprefix("INSERT 0 ")), 1)
    await connection.execute(_INSERT_REASON, entry.entry_id, entry.reason)


async def find_entry(
    connection: Connection, booking_id: BookingId, payment_id: str
) -> tuple[Entry | None, bool] | None:
    """Return the entry of a payment and whether it is reversed; None for an unknown payment.

    The entry is None for a payment of a provider.
    """
    row = await connection.fetchrow(_FIND, booking_id, payment_id)
    if row is None:
        return None
    return (_entry(row) if row["provider"] == OFFICE else None), row["is_reversed"]


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        entry_id=row["entry_id"],
        booking_id=BookingId(str(row["booking_id"])),
        amount=Money(row["amount"], row["currency"]),
        method=row["method"],
        received_at=row["received_at"],
        entered_by=row["entered_by"],
        reason="",
    )
