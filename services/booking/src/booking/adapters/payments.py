"""Table `payment`: payments as derived from facts, one row each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from booking.domain.payments import Exclusion, Payment, PaymentState
from booking.domain.settlement import RecordedPayment
from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId
from contracts.money import Money

_STATE = """
provider, provider_payment_id, booking_id, booking_reference, event_id, captured, currency, refunded,
refund_pending, disputed, lost, state, reason, anomaly
"""

_OF_OBJECTS = f"""
SELECT {_STATE} FROM payment
WHERE provider = ANY($1::text[]) AND provider_payment_id = ANY($2::text[]) AND NOT is_void
"""  # noqa: S608 - constants

_OF_BOOKINGS = f"""
SELECT {_STATE} FROM payment WHERE booking_id = ANY($1::uuid[]) AND NOT is_void
"""  # noqa: S608 - constants

_WRITE = """
INSERT INTO payment (
    booking_id, booking_reference, provider, provider_payment_id, event_id, captured, currency, refunded,
    refund_pending, disputed, lost, state, reason, anomaly
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[]
)
ON CONFLICT (provider, provider_payment_id) DO UPDATE SET
    booking_id = excluded.booking_id,
    booking_reference = excluded.booking_reference,
    event_id = excluded.event_id,
    captured = excluded.captured,
    currency = excluded.currency,
    refunded = excluded.refunded,
    refund_pending = excluded.refund_pending,
    disputed = excluded.disputed,
    lost = excluded.lost,
    state = excluded.state,
    reason = excluded.reason,
    anomaly = excluded.anomaly,
    is_void = false,
    updated_at = clock_timestamp()
RETURNING provider, provider_payment_id, updated_at
"""

_VOID = """
UPDATE payment SET is_void = true, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::text[]) AS gone (provider, payment_id)
WHERE payment.provider = gone.provider AND payment.provider_payment_id = gone.payment_id
RETURNING payment.provider, payment.provider_payment_id, payment.updated_at
"""

_RECORD = """
SELECT
    payment_id, provider, provider_payment_id, state, captured, refunded, refund_pending, disputed, lost,
    payment.currency, payment.reason, anomaly, payment.recorded_at, updated_at, entry.method, entry.entered_by
FROM payment LEFT JOIN money_entry AS entry ON payment.provider = 'office' AND entry_id = provider_payment_id
"""

_LIST = f"""
{_RECORD}
WHERE payment.booking_id = $1 AND NOT is_void AND ($2::uuid IS NULL OR payment_id > $2)
ORDER BY payment_id
LIMIT $3
"""

_FIND = f"{_RECORD} WHERE provider = $1 AND provider_payment_id = $2"

PaymentKey = tuple[str, str]
"""Provider and its payment id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """A stored payment. A payment with an anomaly does not count for its booking.

    `refunded` includes `refund_pending`; `disputed` is under an open dispute, `lost` went by a lost one.
    `method` and `entered_by` are of money that a person entered; a `canceled` one was undone.
    """

    id: str
    provider: str
    provider_payment_id: str
    status: PaymentState
    captured: Money
    refunded: Money
    refund_pending: Money
    disputed: Money
    lost: Money
    reason: str | None
    anomaly: Exclusion | None
    recorded_at: datetime
    updated_at: datetime
    method: str | None
    entered_by: str | None


async def payments_of_objects(
    connection: Connection, providers: Collection[str], object_ids: Collection[str]
) -> list[RecordedPayment]:
    """Return the payments recorded under one of these ids."""
    rows = await connection.fetch(_OF_OBJECTS, list(providers), list(object_ids))
    return [_recorded(row) for row in rows]


async def payments_of_bookings(
    connection: Connection, booking_ids: Collection[BookingId]
) -> list[RecordedPayment]:
    """Return all payments of these bookings."""
    return [_recorded(row) for row in await connection.fetch(_OF_BOOKINGS, list(booking_ids))]


async def write_payments(
    connection: Connection, recorded: Sequence[RecordedPayment], void: Sequence[RecordedPayment]
) -> dict[PaymentKey, datetime]:
    """Write payments as they are now, and make rows void whose objects belong to other payments.

    Returns:
        When each was written, by the database's clock.
    """
    rows: list[asyncpg.Record] = []
    if recorded:
        payments = [item.payment for item in recorded]
        rows += await connection.fetch(
            _WRITE,
            [item.booking_id for item in recorded],
            [payment.booking_reference for payment in payments],
            [payment.provider for payment in payments],
            [payment.payment_id for payment in payments],
            [payment.event_id for payment in payments],
            [payment.captured.amount for payment in payments],
            [payment.captured.currency for payment in payments],
            [payment.refunded for payment in payments],
            [payment.refund_pending for payment in payments],
            [payment.disputed for payment in payments],
            [payment.lost for payment in payments],
            [payment.state.value for payment in payments],
            [payment.reason for payment in payments],
            [item.exclusion for item in recorded],
        )
    if void:
        rows += await connection.fetch(
            _VOID,
            [item.payment.provider for item in void],
            [item.payment.payment_id for item in void],
        )
    require_written("payment", len(rows), len(recorded) + len(void))
    return {(row["provider"], row["provider_payment_id"]): row["updated_at"] for row in rows}


async def read_payments(
    connection: Connection, booking_id: BookingId, *, after: str | None, rows_max: int
) -> list[PaymentRecord | UnreadableRow]:
    """Return a booking's payments in order of recording, from the one after `after` on."""
    rows = await stored_rows.fetch(connection, _LIST, booking_id, after, rows_max, key="payment_id")
    return stored_rows.read_rows(rows, _record, key="payment_id")


async def find_payment(connection: Connection, provider: str, payment_id: str) -> PaymentRecord | None:
    """Return a payment by the provider's id."""
    row = await connection.fetchrow(_FIND, provider, payment_id)
    return None if row is None else _record(row)


def _recorded(row: asyncpg.Record) -> RecordedPayment:
    booking_id = row["booking_id"]
    return RecordedPayment(
        payment=Payment(
            provider=row["provider"],
            payment_id=row["provider_payment_id"],
            state=PaymentState(row["state"]),
            booking_reference=row["booking_reference"],
            captured=Money(row["captured"], row["currency"]),
            refunded=row["refunded"],
            refund_pending=row["refund_pending"],
            disputed=row["disputed"],
            lost=row["lost"],
            event_id=row["event_id"],
            reason=row["reason"],
        ),
        booking_id=None if booking_id is None else BookingId(str(booking_id)),
        exclusion=None if row["anomaly"] is None else Exclusion(row["anomaly"]),
    )


def _record(row: asyncpg.Record) -> PaymentRecord:
    currency = row["currency"]
    return PaymentRecord(
        id=str(row["payment_id"]),
        provider=row["provider"],
        provider_payment_id=row["provider_payment_id"],
        status=PaymentState(row["state"]),
        captured=Money(row["captured"], currency),
        refunded=Money(row["refunded"], currency),
        refund_pending=Money(row["refund_pending"], currency),
        disputed=Money(row["disputed"], currency),
        lost=Money(row["lost"], currency),
        reason=row["reason"],
        anomaly=None if row["anomaly"] is None else Exclusion(row["anomaly"]),
        recorded_at=row["recorded_at"],
        updated_at=row["updated_at"],
        method=row["method"],
        entered_by=row["entered_by"],
    )
