"""F2 and F3: booking ends between two steps that cannot be one, and nothing is lost or done twice."""

from collections.abc import AsyncGenerator
from pathlib import Path

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
    create_booking,
    payment_succeeded,
)
from harness import Infra, Stack, eventually, start_services

CRASH_POINTS = str(Path(__file__).parent / "crash_points")


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    """A stack whose booking service is left to the test."""
    names = ("webhook-gateway", "booking", "audit")
    async with start_services(infra, *names, env={"ENABLE_WEBHOOK_VALIDATION": "true"}) as stack:
        await stack.services("booking")[0].stop()
        yield stack


def crash_at(point: str) -> dict[str, str]:
    return {"PYTHONPATH": CRASH_POINTS, "CRASH_AT": point}


async def test_killed_between_database_and_offset_commit_applies_the_event_once(
    own: Stack, http: httpx.AsyncClient
) -> None:
    dying = await own.start("booking", env=crash_at("before-offset-commit"))
    booking = await create_booking(http, dying.url)
    event = payment_succeeded(booking)
    assert (await own.deliver.stripe(event)).status_code == 200
    await eventually(lambda: not dying.running, seconds=SETTLE_SECONDS, what="booking to be killed")
    await assert_confirmed_once(own, booking["id"])

    heir = await own.start("booking")

    async def came_again() -> bool:
        metrics = (await http.get(f"{heir.url}/metrics")).text
        return 'booking_messages_handled_total{outcome="applied",topic="webhooks.stripe.v1"} 1.0' in metrics

    await eventually(came_again, seconds=SETTLE_SECONDS, what="Kafka to deliver the event again")
    await assert_confirmed_once(own, booking["id"])
    await assert_outbox_drains(own)
    await assert_logged_exactly_once(own, [event["id"]])
    await assert_published_in_order(own)
    await assert_nothing_set_aside(own)


async def test_killed_between_ack_and_mark_publishes_again_and_changes_nothing_twice(
    own: Stack, http: httpx.AsyncClient
) -> None:
    dying = await own.start("booking", env=crash_at("before-outbox-mark"))
    booking = await create_booking(http, dying.url)
    await eventually(lambda: not dying.running, seconds=SETTLE_SECONDS, what="the relay to be killed")
    assert await own.database("booking").fetchval("SELECT count(*) FROM outbox") == 1

    heir = await own.start("booking")
    await assert_outbox_drains(own)
    answer = await http.patch(
        f"{heir.url}/api/bookings/{booking['id']}", json={"status": "confirmed", "reason": "by phone"}
    )
    assert answer.status_code == 200, answer.text
    await assert_outbox_drains(own)

    records = await own.topic("bookings.events.v1").records()
    created = [r.header("ce_id") for r in records if r.header("ce_type") == "booking.created"]
    assert len(created) == 2
    assert len(set(created)) == 1
    await assert_logged_exactly_once(own, {r.header("ce_id") or "" for r in records})
    await assert_published_in_order(own)
    await assert_histories_sound(own)
    history = await http.get(f"{own.url('audit')}/api/bookings/{booking['id']}/history")
    assert [step["version"] for step in history.json()["history"]] == [1, 2]
