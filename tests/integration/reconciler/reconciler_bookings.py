"""Bookings inserted directly into booking's tables, and calls of the reconciler's API."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from chassis.clock import new_id
from harness import Record, Stack, eventually
from pricing import PriceRequest, rate_card, snapshot, to_json_object

PRICE = 13200
RUN_SECONDS_MAX = 60.0

_BOOKING = """
INSERT INTO booking.booking (
    booking_id, status, payment_status, version, transitions, service, starts_at, ends_at, currency, total,
    pricing, client_name, client_phone, pets, visits, request_sha256, created_at, confirmed_at
)
SELECT
    id, $2, 'unpaid', greatest($9::bigint, 2), $9, 'drop-in', $3, $4, $5, $6,
    $7::jsonb, 'A', '+13125550100', '[]', '[]', '\\x00', $8, $8
FROM unnest($1::uuid[]) AS id
"""

_HISTORY = """
INSERT INTO booking.status_transition (booking_id, version, from_status, to_status, changed_by, metadata)
SELECT id, step.version, step.from_status, step.to_status, 'stripe', '{}'
FROM unnest($1::uuid[]) AS id, unnest($2::text[], $3::text[]) WITH ORDINALITY
    AS step (from_status, to_status, version)
ORDER BY id, step.version
"""

_STATUSES = {
    "pending": ("pending",),
    "confirmed": ("pending", "confirmed"),
    "in_progress": ("pending", "confirmed", "in_progress"),
    "completed": ("pending", "confirmed", "completed"),
    "cancelled": ("pending", "cancelled"),
}

# An hour old: a difference is not waited for. A payment in another currency does not count for the booking.
_PAYMENT = """
INSERT INTO booking.payment (
    booking_id, provider, provider_payment_id, event_id, captured, currency, anomaly, recorded_at, updated_at
)
SELECT
    booking_id, 'stripe', 'pi_' || booking_id || $2, 'evt_' || booking_id || $2, $3, $4,
    CASE WHEN currency <> $4 THEN 'currency_mismatch' END,
    now() - interval '1 hour', now() - interval '1 hour'
FROM booking.booking WHERE booking_id = ANY($1::uuid[])
"""

# The sums in the booking's own row, as the service keeps them.
_KEEP_SUMS = """
UPDATE booking.booking SET
    captured = paid.captured,
    refunded = paid.refunded,
    payment_status = CASE WHEN paid.captured - paid.refunded = total THEN 'paid' ELSE 'unpaid' END
FROM (
    SELECT
        id,
        least(coalesce(sum(payment.captured), 0), 9223372036854775807)::bigint AS captured,
        coalesce(sum(payment.refunded + payment.lost), 0)::bigint AS refunded
    FROM unnest($1::uuid[]) AS id
    LEFT JOIN booking.payment ON payment.booking_id = id AND payment.anomaly IS NULL
    GROUP BY id
) AS paid
WHERE booking.booking_id = paid.id
"""

_CHANGE_STATUS = """
WITH changed AS (
    UPDATE booking.booking SET status = $2, transitions = transitions + 1, version = version + 1
    WHERE booking_id = $1
    RETURNING booking_id, old.status AS status_before, transitions
)
INSERT INTO booking.status_transition (
    booking_id, version, from_status, to_status, changed_by, metadata, recorded_at
)
SELECT booking_id, transitions, status_before, $2, 'ana', '{}', now() - make_interval(hours => $3)
FROM changed
"""


async def insert_bookings(
    stack: Stack,
    count: int = 1,
    *,
    status: str = "confirmed",
    paid: bool = True,
    ids: Sequence[str] | None = None,
) -> list[str]:
    """Insert bookings priced at 132.00 by the real engine, confirmed two days ago. Return their ids."""
    ids = sorted(new_id() for _ in range(count)) if ids is None else list(ids)
    starts = datetime(2026, 11, 10, 15, 0, tzinfo=UTC)
    ends = starts + timedelta(minutes=330)
    slots = [(0, 30), (120, 60), (300, 30)]
    visits = tuple(
        (starts + timedelta(minutes=at), starts + timedelta(minutes=at + long)) for at, long in slots
    )
    priced = snapshot(
        PriceRequest(service="drop-in", starts_at=starts, ends_at=ends, visits=visits, pets=3, holiday=True),
        rate_card("default", "2025-01"),
    )
    assert priced.total == PRICE
    pricing = json.dumps(to_json_object(priced))
    due = datetime.now(UTC) - timedelta(days=2)  # noqa: TID251 - the service uses the real clock too
    database = stack.database("booking")
    statuses = _STATUSES[status]
    async with database.connect() as connection, connection.transaction():
        await connection.execute(
            _BOOKING, ids, status, starts, ends, "USD", PRICE, pricing, due, len(statuses)
        )
        await connection.execute(_HISTORY, ids, [None, *statuses[:-1]], list(statuses))
    if paid:
        await pay(stack, ids)
    return ids


async def pay(
    stack: Stack, ids: Sequence[str], *, captured: int = PRICE, currency: str = "USD", number: int = 1
) -> None:
    """Insert one payment for each booking."""
    database = stack.database("booking")
    await database.execute(_PAYMENT, ids, f"_{number}", captured, currency)
    await database.execute(_KEEP_SUMS, ids)


async def change_payments(stack: Stack, booking_id: str, change: str, *values: Any) -> None:
    """Change a booking's payments and their sums in the booking, for example `refunded = $2`."""
    database = stack.database("booking")
    await database.execute(f"UPDATE booking.payment SET {change} WHERE booking_id = $1", booking_id, *values)
    await database.execute(_KEEP_SUMS, [booking_id])


async def change_status(stack: Stack, booking_id: str, status: str, *, hours_ago: int = 0) -> None:
    """Set a booking's status with its history, as the service does."""
    await stack.database("booking").execute(_CHANGE_STATUS, booking_id, status, hours_ago)


async def corrupt(stack: Stack, booking_id: str, change: str, *values: Any) -> None:
    """Change a booking with SQL, without the service, for example `total = $2`."""
    statement = f"UPDATE booking.booking SET {change} WHERE booking_id = $1"
    database = stack.database("booking")
    # A status alone is refused, whoever sets it: the history would say something else.
    guarded = ["booking.booking"] if change.startswith("status") else []
    async with database.without_triggers(*guarded) as connection:
        await connection.execute(statement, booking_id, *values)


async def delete_booking(stack: Stack, booking_id: str) -> None:
    """Delete a booking that has a history, as damage would."""
    async with stack.database("booking").without_triggers("booking.booking") as connection:
        await connection.execute("DELETE FROM booking.booking WHERE booking_id = $1", booking_id)


async def request_run(
    stack: Stack, http: httpx.AsyncClient, body: dict[str, Any] | None = None, /, **headers: str
) -> dict[str, Any]:
    """Request a run over HTTP."""
    url = f"{stack.url('reconciler')}/api/reconciliation/runs"
    response = await http.post(url, json=body or {}, headers=headers)
    assert response.status_code == 202, response.text
    return response.json()


async def ended_run(stack: Stack, http: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run and return it."""

    async def ended() -> dict[str, Any] | None:
        response = await http.get(f"{stack.url('reconciler')}/api/reconciliation/runs/{run_id}")
        run = response.json()
        return run if run["status"] in {"completed", "failed", "cancelled"} else None

    run = await eventually(ended, seconds=RUN_SECONDS_MAX, what=f"run {run_id} has ended")
    assert run is not None
    return run


async def completed_run(stack: Stack, http: httpx.AsyncClient) -> dict[str, Any]:
    """Request a run, wait for its end and return it."""
    run = await ended_run(stack, http, (await request_run(stack, http))["id"])
    assert run["status"] == "completed", run
    assert run["scanned"] == run["clean"] + run["drifted"] + run["skipped"] + run["errored"]
    return run


async def exceptions_of(
    stack: Stack, http: httpx.AsyncClient, ids: Sequence[str], **filters: str
) -> dict[str, list[dict[str, Any]]]:
    """Return all exceptions of these bookings, by booking, in the order of the list."""
    exceptions: dict[str, list[dict[str, Any]]] = {}
    cursor: dict[str, str] = {}
    while True:
        response = await http.get(
            f"{stack.url('reconciler')}/api/exceptions", params={"limit": 500, **filters, **cursor}
        )
        assert response.status_code == 200, response.text
        for item in response.json()["exceptions"]:
            if item["booking_id"] in ids:
                exceptions.setdefault(item["booking_id"], []).append(item)
        if response.json()["next_cursor"] is None:
            return exceptions
        cursor = {"cursor": response.json()["next_cursor"]}


async def events_about(stack: Stack, key: str) -> list[Record]:
    """Return the reconciler's events with this key."""
    records = await stack.topic("reconciliation.events.v1").records()
    return [record for record in records if record.key == key.encode()]


def types(records: Sequence[Record]) -> list[str | None]:
    return [record.header("ce_type") for record in records]
