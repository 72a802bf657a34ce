"""Table `payment`: payments that providers captured, each once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from booking.domain.payments import Anomaly, Payment
from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from contracts.ids import BookingId
from contracts.money import Money

_FIND = """
SELECT provider, provider_payment_id, booking_reference, captured, currency, event_id
FROM payment
WHERE (provider, provider_payment_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

# Two events of one payment that name different bookings may be inserted at once. The unique constraint fails
# the later one, which is applied again and then finds the earlier one.
_INSERT = """
INSERT INTO payment (
    booking_id, booking_reference, provider, provider_payment_id, event_id, captured, currency, anomaly
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[]
)
RETURNING provider, provider_payment_id, recorded_at
"""

_OF_BOOKING = """
SELECT payment_id, provider, provider_payment_id, captured, refunded, currency, anomaly, recorded_at
FROM payment
WHERE booking_id = $1 AND ($2::uuid IS NULL OR payment_id > $2)
ORDER BY payment_id
LIMIT $3
"""

PaymentKey = tuple[str, str]
"""Provider and its payment id."""


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment to insert, with the known booking that it names and its anomaly, if any."""

    payment: Payment
    booking_id: BookingId | None
    anomaly: Anomaly | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """A stored payment. A payment with an anomaly does not count for its booking."""

    id: str
    provider: str
    provider_payment_id: str
    captured: Money
    refunded: Money
    anomaly: Anomaly | None
    recorded_at: datetime


def key_of(payment: Payment) -> PaymentKey:
    """Return the key that identifies a payment."""
    return payment.provider, payment.payment_id


async def find_payments(connection: Connection, keys: Collection[PaymentKey]) -> dict[PaymentKey, Payment]:
    """Return the payments that were reported before, as they were reported first."""
    if not keys:
        return {}
    rows = await connection.fetch(
        _FIND, [provider for provider, _ in keys], [payment_id for _, payment_id in keys]
    )
    payments = [
        Payment(
            provider=row["provider"],
            payment_id=row["provider_payment_id"],
            booking_reference=row["booking_reference"],
            captured=Money(row["captured"], row["currency"]),
            event_id=row["event_id"],
        )
        for row in rows
    ]
    return {key_of(payment): payment for payment in payments}


async def insert_payments(connection: Connection, new: Sequence[NewPayment]) -> dict[PaymentKey, datetime]:
    """Insert payments. Return when each was recorded, by the database's clock."""
    if not new:
        return {}
    payments = [payment.payment for payment in new]
    rows = await connection.fetch(
        _INSERT,
        [payment.booking_id for payment in new],
        [payment.booking_reference for payment in payments],
        [payment.provider for payment in payments],
        [payment.payment_id for payment in payments],
        [payment.event_id for payment in payments],
        [payment.captured.amount for payment in payments],
        [payment.captured.currency for payment in payments],
        [payment.anomaly for payment in new],
    )
    require_written("payment", len(rows), len(new))
    return {(row["provider"], row["provider_payment_id"]): row["recorded_at"] for row in rows}


async def read_payments(
    connection: Connection, booking_id: BookingId, *, after: str | None, rows_max: int
) -> list[PaymentRecord | UnreadableRow]:
    """Return a booking's payments in order of recording, from the one after `after` on."""
    rows = await stored_rows.fetch(connection, _OF_BOOKING, booking_id, after, rows_max, key="payment_id")
    return stored_rows.read_rows(rows, _record, key="payment_id")


def _record(row: asyncpg.Record) -> PaymentRecord:
    return PaymentRecord(
        id=str(row["payment_id"]),
        provider=row["provider"],
        provider_payment_id=row["provider_payment_id"],
        captured=Money(row["captured"], row["currency"]),
        refunded=Money(row["refunded"], row["currency"]),
        anomaly=None if row["anomaly"] is None else Anomaly(row["anomaly"]),
        recorded_at=row["recorded_at"],
    )
