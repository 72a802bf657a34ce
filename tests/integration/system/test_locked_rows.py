"""A row that another session has locked puts its own key off, and nobody else's (issue 14)."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from chassis import clock
from contracts.bookings import BookingIdentityConflict
from contracts.metadata import MessageMetadata
from harness import Infra, Record, Stack, eventually, start_services
from integration.booking.booking_calls import BookingApi, payment_record

OTHERS = 199
OTHERS_SECONDS_MAX = 4.0
"""For 199 payments on two noisy cores; waiting for the lock took 5 seconds for each message in hand."""
NEXT_SECONDS_MAX = 1.5


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "reconciler") as stack:
        yield stack


@asynccontextmanager
async def locked(own: Stack, service: str, *statements: str) -> AsyncGenerator[None]:
    """Somebody else's transaction, open as long as the block."""
    async with own.database(service).connect() as connection, connection.transaction():
        for statement in statements:
            await connection.execute(statement)
        yield


async def paid(own: Stack) -> int:
    return await own.database("booking").fetchval("SELECT count(*) FROM payment WHERE booking_id IS NOT NULL")


async def took(own: Stack, payments: int) -> float:
    """Seconds until so many payments are there."""
    began = time.monotonic()

    async def there() -> bool:
        return await paid(own) >= payments

    await eventually(there, seconds=30)
    return time.monotonic() - began


async def bookings(api: BookingApi, count: int) -> list[str]:
    """Ids of new bookings, made from one that the API made."""
    made = await api.create()
    columns = await api.stack.database("booking").fetchval(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_name = 'booking'"
        " AND table_schema = 'booking' AND column_name NOT IN ('booking_id', 'idempotency_key')"
    )
    rows = await api.stack.database("booking").fetch(
        f"WITH made AS (INSERT INTO booking (booking_id, {columns}) SELECT uuidv7(), {columns} FROM booking,"
        " generate_series(1, $2) WHERE booking_id = $1::uuid RETURNING booking_id)"
        " INSERT INTO status_transition (booking_id, version, to_status, changed_by, metadata)"
        " SELECT booking_id, 1, 'pending', 'x', '{}' FROM made RETURNING booking_id",
        made["id"],
        count,
    )
    return [str(row["booking_id"]) for row in rows]


async def test_locked_booking_holds_up_its_own_payment_and_no_other(
    own: Stack, http: httpx.AsyncClient
) -> None:
    api = BookingApi(own, http)
    first, second, *others = await bookings(api, OTHERS + 3)
    await api.settled(clock.new_id())
    before = await paid(own)
    held = f"SELECT FROM booking WHERE booking_id IN ('{first}', '{second}') FOR UPDATE"
    async with locked(own, "booking", held):
        await api.publish(*(payment_record(each) for each in (first, *others[:100], second, *others[100:-1])))
        assert await took(own, before + OTHERS) < OTHERS_SECONDS_MAX
        await api.publish(payment_record(others[-1]))
        assert await took(own, before + OTHERS + 1) < NEXT_SECONDS_MAX
        await eventually(lambda: _is_told(own, http, "booking", first, "row of booking locked"), seconds=20)
    for booking_id in (first, second):
        await eventually(lambda b=booking_id: api.when_paid(b), seconds=10)
    assert await own.database("booking").fetchval("SELECT count(*) FROM dead_letter") == 0


async def _is_told(own: Stack, http: httpx.AsyncClient, service: str, key: str, what: str) -> bool:
    """Readiness names the key and what it waits for, and stays good."""
    ready = await http.get(f"{own.url(service)}/health/ready")
    detail = ready.json()["checks"]["consumers"]["detail"]
    return ready.status_code == 200 and f"key {key}" in detail and what in detail


async def test_uncommitted_rows_of_inbox_and_payment_hold_up_their_own_payments(
    own: Stack, http: httpx.AsyncClient
) -> None:
    api = BookingApi(own, http)
    by_inbox, by_payment, *others = await bookings(api, 52)
    await api.settled(clock.new_id())
    before, event_id, payment_id = await paid(own), f"evt_{clock.new_id()}", f"pi_{clock.new_id()}"
    first = payment_record(by_inbox, event_id=event_id)
    source = dict(first.headers)["ce_source"].decode()
    async with locked(
        own,
        "booking",
        f"INSERT INTO inbox (source, event_id, body_sha256) VALUES ('{source}', '{event_id}', '')",
        "INSERT INTO payment (provider, provider_payment_id, event_id, captured, currency, anomaly)"
        f" VALUES ('stripe', '{payment_id}', 'x', 1, 'USD', 'booking_unknown')",
    ):
        await api.publish(
            first, *map(payment_record, others), payment_record(by_payment, payment_id=payment_id)
        )
        assert await took(own, before + len(others)) < OTHERS_SECONDS_MAX
        await eventually(lambda: _is_told(own, http, "booking", by_inbox, "row of inbox locked"), seconds=20)
    await eventually(lambda: own.ready("booking"), seconds=10)


def report(source: str) -> Record:
    """An identity conflict as booking reports it; the same source is the same exception."""
    payload = BookingIdentityConflict(
        source=source,
        event_id=source,
        first_body_sha256="aa",
        second_body_sha256="bb",
        recorded_at=clock.now(),
    )
    metadata = MessageMetadata(id=clock.new_id(), source="booking", type="booking.identity-conflict")
    return Record(payload.to_bytes(), source.encode(), metadata.to_headers())


async def test_locked_exceptions_hold_up_their_own_reports_and_no_other(own: Stack) -> None:
    known, others = [clock.new_id() for _ in range(3)], [clock.new_id() for _ in range(50)]
    events, queue = own.topic("bookings.events.v1"), own.database("reconciler")

    async def occurrences(sources: list[str]) -> int:
        return await queue.fetchval(
            "SELECT coalesce(sum(occurrences), 0) FROM exception WHERE explanation ->> 'source' = ANY($1)",
            sources,
        )

    async def reached(sources: list[str], count: int) -> bool:
        return await occurrences(sources) == count

    await events.publish_all([*map(report, known)])
    await eventually(lambda: reached(known, len(known)), seconds=20)
    async with locked(own, "reconciler", "SELECT FROM exception FOR UPDATE"):
        began = time.monotonic()
        await events.publish_all([*map(report, [*known, *others])])
        await eventually(lambda: reached(others, len(others)), seconds=20)
        assert time.monotonic() - began < OTHERS_SECONDS_MAX
    await eventually(lambda: reached(known, 2 * len(known)), seconds=10)
