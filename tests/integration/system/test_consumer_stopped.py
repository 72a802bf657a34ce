"""A breaker stops a real consumer, the runbook's commands say why, and it goes on by itself (F23)."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.audit.following import Operator
from integration.booking.booking_calls import BookingApi, payment_record
from plumbline.doctor.target import SERVICE_URLS

PAYMENTS = 12
"""Each under a key of its own; ten that fail in a row are enough."""


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, *SERVICE_URLS) as stack:
        yield stack


# Slow: the breaker opens only after its window of failures, and closes after its pause.
async def test_breaker_stops_a_consumer_that_says_why_and_goes_on_when_the_cause_is_gone(
    own: Stack, infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    api, operator = BookingApi(own, http), Operator("consumer-stopped.md", own, infra, tmp_path)
    bookings = [await api.create() for _ in range(PAYMENTS)]
    await own.database("booking").execute("REVOKE INSERT ON booking.inbox FROM booking")
    await api.publish(*(payment_record(booking["id"], key=clock.new_id()) for booking in bookings))

    async def says_why() -> bool:
        ready = await http.get(f"{own.url('booking')}/health/ready")
        consumers = ready.json()["checks"]["consumers"]["detail"]
        return (
            ready.status_code == 503
            and re.search("its breaker.*InsufficientPrivilege", consumers) is not None
        )

    await eventually(says_why, seconds=30)
    assert await own.database("booking").fetchval("SELECT count(*) FROM booking.dead_letter") == 0
    (doctor,) = await operator.follow("1. See the cause")
    assert doctor.exit_code == 1
    assert re.search("service booking.*stopped by its breaker.*InsufficientPrivilege", doctor.stdout)
    assert "GRANT INSERT ON booking.inbox TO booking" in doctor.stdout

    await own.database("booking").execute("GRANT INSERT ON booking.inbox TO booking")
    for booking in bookings:
        await eventually(lambda b=booking: api.when_paid(b["id"]), seconds=60)
    await eventually(lambda: own.ready("booking"), seconds=20)
    doctor, listed = await operator.follow("3. Check")
    assert doctor.exit_code == 0, doctor.stdout
    assert listed.exit_code == 0
    assert await own.database("booking").fetchval("SELECT count(*) FROM booking.dead_letter") == 0
