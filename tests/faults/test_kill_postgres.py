"""F7: PostgreSQL is killed under load and comes back. Services reconnect by themselves within 30 s."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from faults.business import (
    SETTLE_SECONDS,
    assert_confirmed_once,
    assert_histories_sound,
    assert_logged_exactly_once,
    assert_nothing_set_aside,
    assert_outbox_drains,
    assert_published_in_order,
    booking_request,
    create_booking,
    payment_succeeded,
)
from harness import Infra, Stack, down, eventually, start_services

BOOKINGS = 40
RECONNECT_SECONDS_MAX = 30.0


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    names = ("webhook-gateway", "booking", "audit")
    async with start_services(infra, *names, env={"ENABLE_WEBHOOK_VALIDATION": "true"}) as stack:
        yield stack


async def deliver_all(stack: Stack, events: list[dict[str, Any]], half: asyncio.Event) -> list[int]:
    """Deliver one after the other; `half` is set in the middle."""
    answers: list[int] = []
    for number, event in enumerate(events):
        if number == len(events) // 2:
            half.set()
        answers.append((await stack.deliver.stripe(event)).status_code)
    return answers


async def test_killed_under_load_loses_nothing_and_services_come_back(
    own: Stack, infra: Infra, http: httpx.AsyncClient
) -> None:
    bookings = [await create_booking(http, own.url("booking"), number) for number in range(BOOKINGS)]
    events = [payment_succeeded(booking) for booking in bookings]
    half = asyncio.Event()
    load = asyncio.create_task(deliver_all(own, events, half))
    await half.wait()
    async with down(infra.postgres, how="kill"):
        answers = await load
        refused = await http.post(f"{own.url('booking')}/api/bookings", json=booking_request())
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        assert not await own.ready("booking")

    assert answers == [200] * BOOKINGS, "the gateway needs no database"
    await eventually(own.ready, seconds=RECONNECT_SECONDS_MAX, what="all services ready again")

    async def all_confirmed() -> bool:
        count = "SELECT count(*) FROM booking WHERE status = 'confirmed'"
        return await own.database("booking").fetchval(count) == BOOKINGS

    await eventually(all_confirmed, seconds=SETTLE_SECONDS, what="every payment to be applied")
    for booking in bookings:
        await assert_confirmed_once(own, booking["id"])
    await assert_outbox_drains(own)
    await assert_logged_exactly_once(own, [event["id"] for event in events])
    await assert_published_in_order(own)
    await assert_histories_sound(own)
    await assert_nothing_set_aside(own)
