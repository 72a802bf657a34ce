"""While the servers take no writes nothing is lost, and afterwards every service works by itself (F13)."""

import time
from collections.abc import AsyncGenerator

import httpx
import pytest

from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi
from integration.booking.booking_calls import BookingApi, payment_record, request

SERVICES = ("booking", "audit", "reconciler")
OUTAGE_SECONDS = 12.0
HEALTHY_SECONDS_MAX = 10.0

_END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, *SERVICES) as stack:
        yield stack


async def take_no_writes(stack: Stack, service: str) -> None:
    name = await stack.database(service).fetchval("SELECT current_database()")
    await stack.database(service).execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await stack.database(service).fetch(_END_SESSIONS)


async def take_writes(stack: Stack, service: str) -> None:
    name = await stack.database(service).fetchval("SELECT current_database()")
    async with stack.database(service).connect() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


async def test_after_a_failover_all_services_work_within_seconds(own: Stack, http: httpx.AsyncClient) -> None:
    booking = BookingApi(own, http)
    waiting = await booking.create()
    for service in SERVICES:
        await take_no_writes(own, service)
    payment = payment_record(waiting["id"])
    await booking.publish(payment)

    writes = {
        f"{own.url('booking')}/api/bookings": request(),
        f"{own.url('reconciler')}/api/reconciliation/runs": None,
    }
    answers: list[httpx.Response] = []
    ends_at = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < ends_at:
        answers += [await http.post(url, json=body) for url, body in writes.items()]
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["Retry-After"] for answer in answers)
    for service in SERVICES:
        readiness = await http.get(f"{own.url(service)}/health/ready")
        assert readiness.status_code == 503
        assert "the server takes no writes" in readiness.json()["checks"][f"postgres:{service}"]["detail"]

    for service in SERVICES:
        await take_writes(own, service)
    back_at = time.monotonic()

    async def at_work() -> bool:
        assert await own.ready(*SERVICES)
        assert (await booking.read(waiting["id"]))["payment_status"] == "paid"
        entries = await AuditApi(own, http).entries(booking_id=waiting["id"])
        # Relayed by booking, recorded by audit.
        assert [e["event_type"] for e in entries].count("booking.status-changed") == 1
        return True

    await eventually(at_work, seconds=HEALTHY_SECONDS_MAX)
    assert time.monotonic() - back_at < HEALTHY_SECONDS_MAX
    for url, body in writes.items():
        answer = await http.post(url, json=body)
        assert answer.status_code in {201, 202}, answer.text
    assert await own.database("booking").fetchval("SELECT count(*) FROM dead_letter") == 0
