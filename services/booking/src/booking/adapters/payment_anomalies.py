"""Table `payment_anomaly`: anomalies of payments, each open until its reason is gone (BK-8)."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from booking.domain.anomalies import AnomalyKey, OpenAnomaly
from booking.domain.payments import Anomaly, PaymentAnomaly, PaymentAnomalyResolved
from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from contracts.ids import BookingId

_OPEN = """
SELECT provider, payment_id, kind, subject, booking_id, booking_reference
FROM payment_anomaly
WHERE provider = ANY($1::text[]) AND payment_id = ANY($2::text[]) AND resolved_at IS NULL
"""

_INSERT = """
INSERT INTO payment_anomaly (provider, payment_id, kind, subject, booking_id, booking_reference)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[])
ON CONFLICT (provider, payment_id, kind, subject) DO UPDATE SET
    booking_id = excluded.booking_id,
    booking_reference = excluded.booking_reference,
    opened_at = clock_timestamp(),
    resolved_at = NULL
RETURNING provider, payment_id, kind, subject, opened_at AS recorded_at
"""

_RESOLVE = """
UPDATE payment_anomaly AS anomaly SET resolved_at = clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS gone (provider, payment_id, kind, subject)
WHERE (anomaly.provider, anomaly.payment_id, anomaly.kind, anomaly.subject)
    = (gone.provider, gone.payment_id, gone.kind, gone.subject)
RETURNING anomaly.provider, anomaly.payment_id, anomaly.kind, anomaly.subject, resolved_at AS recorded_at
"""

AnomalyEvent = PaymentAnomaly | PaymentAnomalyResolved
# The key of the anomaly, with its kind as text.
AnomalyRow = tuple[str, str, str, str]


async def open_anomalies(
    connection: Connection, providers: Collection[str], payment_ids: Collection[str]
) -> list[OpenAnomaly]:
    """Return the open anomalies of these payments."""
    return [_anomaly(row) for row in await connection.fetch(_OPEN, list(providers), list(payment_ids))]


async def write_anomalies(
    connection: Connection, events: Sequence[AnomalyEvent]
) -> dict[AnomalyRow, datetime]:
    """Open and resolve anomalies. Return when each was written, by the database's clock."""
    opened = [event for event in events if isinstance(event, PaymentAnomaly)]
    gone = [event for event in events if isinstance(event, PaymentAnomalyResolved)]
    rows: list[asyncpg.Record] = []
    if gone:
        rows += await connection.fetch(_RESOLVE, *_columns(gone))
    if opened:
        rows += await connection.fetch(
            _INSERT,
            *_columns(opened),
            [event.booking_id for event in opened],
            [event.booking_reference for event in opened],
        )
    require_written("payment_anomaly", len(rows), len(events))
    return {
        (row["provider"], row["payment_id"], row["kind"], row["subject"]): row["recorded_at"] for row in rows
    }


def row_of(event: AnomalyEvent) -> AnomalyRow:
    """Return the key of the row that an event writes."""
    return event.provider, event.payment_id, event.kind.value, event.subject


def _columns(events: Sequence[AnomalyEvent]) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [event.provider for event in events],
        [event.payment_id for event in events],
        [event.kind.value for event in events],
        [event.subject for event in events],
    )


def _anomaly(row: asyncpg.Record) -> OpenAnomaly:
    booking_id = row["booking_id"]
    return OpenAnomaly(
        AnomalyKey(row["provider"], row["payment_id"], Anomaly(row["kind"]), row["subject"]),
        None if booking_id is None else BookingId(str(booking_id)),
        row["booking_reference"],
    )
