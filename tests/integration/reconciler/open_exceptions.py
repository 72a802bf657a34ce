"""Open exceptions inserted directly into the reconciler's table."""

from chassis.clock import new_id
from harness import Stack

_INSERT = """
INSERT INTO reconciler.exception (
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation, currency,
    amount, opened_at, clock_running_since, first_seen_at, last_seen_at
)
SELECT
    id, 'pricing_drift', 'snapshot_corrupt', 'high', $2, id::text, 'd', 'Stored too much',
    '{"lines": [], "totals": {}}', $3, $4, now(), now(), now(), now()
FROM unnest($1::uuid[]) AS id
"""


async def insert_open(
    own: Stack, count: int, *, booking: str, currency: str | None = "USD", amount: int | None = -700
) -> list[str]:
    """Insert open exceptions of one booking and return their ids, in order."""
    ids = [new_id() for _ in range(count)]
    await own.database("reconciler").execute(_INSERT, ids, booking, currency, amount)
    return ids
