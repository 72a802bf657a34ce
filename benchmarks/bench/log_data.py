"""Entries of the EventLog by the million, written by SQL, and the index of their words."""

from audit.domain.blocks import SettledEntries
from audit.handlers.entry_blocks import fill_blocks, newest_settled_entry
from chassis.postgres import Database
from harness.databases import TestDatabase

RARE_OF = 100_000
"""One entry of so many has the rare values: actor, event type and error."""
_ROWS_PER_STATEMENT = 100_000

# Ten kinds of entries, nine of ten successes; eight entries to a booking; ids as Stripe and as UUIDs.
_FILL = f"""
INSERT INTO audit.event_log (
    event_type, status, source, event_id, booking_id, actor, error, metadata, occurred_at, topic, partition,
    record_offset, correlation_id, causation_id, payload_digest
)
SELECT
    CASE
        WHEN n % {RARE_OF} = 7 THEN 'booking.offer-ambiguous'
        ELSE (ARRAY[
            'stripe.payment_intent.succeeded', 'stripe.charge.refunded', 'sms.message.received',
            'booking.created', 'booking.status-changed', 'booking.payment-recorded', 'booking.changed',
            'reconciliation.run-started', 'reconciliation.drift-detected', 'dead-letter.set-aside'
        ])[kind + 1]
    END,
    CASE WHEN kind >= 8 THEN 'failed' WHEN n % 31 = 0 THEN 'pending' ELSE 'success' END,
    CASE
        WHEN kind < 2 THEN 'stripe' WHEN kind = 2 THEN 'sms' WHEN kind < 7 THEN 'booking' ELSE 'reconciler'
    END,
    CASE
        WHEN kind < 2 THEN 'evt_1' || substr(translate(digest, 'abcdef', 'KmPxQz'), 1, 22)
        ELSE digest::uuid::text
    END,
    md5('booking' || n / 8)::uuid::text,
    CASE
        WHEN n % {RARE_OF} = 7 THEN 'sms:kim' WHEN kind IN (3, 4, 6) THEN 'system'
        WHEN kind = 5 THEN 'stripe'
    END,
    CASE WHEN n % {RARE_OF} = 7 THEN 'card-declined' WHEN kind >= 8 THEN 'engine_drift' END,
    '{{"version": 3, "body_bytes": 3127}}', now(), 'bookings.events.v1', n % 12, n,
    CASE WHEN kind BETWEEN 3 AND 6 THEN md5('cause' || n / 3)::uuid::text END,
    CASE WHEN kind BETWEEN 3 AND 6 THEN md5('cause' || n / 3)::uuid::text END,
    sha256(digest::bytea)
FROM (
    SELECT n, (n * 7919 % 10)::integer AS kind, md5(n::text) AS digest
    FROM generate_series($1::bigint, $2::bigint) AS n
) AS entry
"""


async def fill(stored: TestDatabase, database: Database, entries: int) -> None:
    """Append so many entries, and index them as the job does."""
    async with stored.connect() as connection:
        for first in range(1, entries + 1, _ROWS_PER_STATEMENT):
            last = min(entries, first + _ROWS_PER_STATEMENT - 1)
            await connection.execute(_FILL, first, last, timeout=600)
        await connection.execute("VACUUM ANALYZE audit.event_log", timeout=600)
    await index(database)
    async with stored.connect() as connection:
        await connection.execute("VACUUM ANALYZE audit.entry_block", timeout=600)


async def index(database: Database) -> None:
    """Put all entries into blocks."""
    until = await newest_settled_entry(database, SettledEntries())
    while await fill_blocks(database, until=until):
        pass
