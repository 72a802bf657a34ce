"""Two replicas of each service at once: work is shared, and nothing happens twice."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.booking.booking_calls import request
from integration.reconciler.reconciler_bookings import corrupt, ended_run, exceptions_of, insert_bookings

SERVICES = ("webhook-gateway", "booking", "audit", "reconciler")
CONSUMING = ("booking", "audit", "reconciler")
BOOKINGS = 12
SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
async def pairs(infra: Infra) -> AsyncGenerator[Stack]:
    """Every service twice, and both members of each pair at work."""
    async with start_services(infra, *SERVICES, *SERVICES) as stack:
        for service in CONSUMING:
            await eventually(
                lambda group=f"{stack.prefix}.{service}": is_shared(infra, group),
                seconds=SECONDS_MAX,
                what=f"both replicas of {service} have partitions",
            )
        yield stack


async def test_webhooks_to_two_gateways_confirm_each_booking_once(
    pairs: Stack, http: httpx.AsyncClient
) -> None:
    bookings = [await create(pairs, http, number) for number in range(BOOKINGS)]
    payments = [payment(booking) for booking in bookings]
    # Each payment to both gateways at the same time: Stripe delivers at least once.
    deliveries = [
        pairs.deliver.stripe(event, gateway=gateway.url)
        for event in payments
        for gateway in pairs.services("webhook-gateway")
    ]
    assert {answer.status_code for answer in await asyncio.gather(*deliveries)} == {200}
    for booking in bookings:
        statuses = await eventually(lambda b=booking: confirmed(pairs, http, b), seconds=SECONDS_MAX)
        assert statuses == [(1, "pending"), (2, "confirmed")]
    for booking, event in zip(bookings, payments, strict=True):
        await everything_logged(pairs, http, booking)
        assert len(await logged(pairs, http, event_id=event["id"])) == 1


async def test_events_of_a_booking_keep_their_order_with_two_relays(
    pairs: Stack, http: httpx.AsyncClient
) -> None:
    booking = await create(pairs, http, 0)
    moves = ["confirmed", "pending", "confirmed", "in_progress", "completed"]
    for number, status in enumerate(moves):
        assert (await change(pairs, http, booking, status, replica=number)).status_code == 200

    def published(records: Sequence[Any]) -> list[str]:
        return [r.header("ce_sequence") for r in records if r.key == booking["id"].encode()]

    expected = [str(version) for version in range(1, len(moves) + 2)]
    records = await pairs.topic("bookings.events.v1").read_until(
        lambda found: len(published(found)) >= len(expected), seconds=SECONDS_MAX
    )
    assert published(records) == expected


async def test_opposite_changes_at_two_replicas_leave_one_legal_history(
    pairs: Stack, http: httpx.AsyncClient
) -> None:
    booking = await create(pairs, http, 1)
    answers = await asyncio.gather(
        *(
            change(pairs, http, booking, status, replica=number)
            for number, status in enumerate(["confirmed", "cancelled"] * 4)
        )
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    history = await statuses(pairs, http, booking)
    assert [version for version, _ in history] == list(range(1, len(history) + 1))
    assert [status for _, status in history] in (
        ["pending", "cancelled"],
        ["pending", "confirmed", "cancelled"],
    )


async def test_runs_asked_of_both_reconcilers_at_once_open_one_exception(
    pairs: Stack, http: httpx.AsyncClient
) -> None:
    clean, corrupted = await insert_bookings(pairs, 2)
    await corrupt(pairs, corrupted, "total = $2", 14200)
    asked = await asyncio.gather(
        *(
            http.post(f"{replica.url}/api/reconciliation/runs")
            for replica in pairs.services("reconciler")
            for _ in range(3)
        )
    )
    for answer in asked:
        assert (await ended_run(pairs, http, answer.json()["id"]))["status"] == "completed"
    found = await exceptions_of(pairs, http, [clean, corrupted])
    assert clean not in found
    assert [item["occurrences"] for item in found[corrupted]] == [len(asked)]


# Slow: Kafka notices a killed member only after its session timeout.
async def test_killed_replicas_leave_their_work_to_the_others(infra: Infra, http: httpx.AsyncClient) -> None:
    async with start_services(infra, *SERVICES[:3], *SERVICES[:3]) as stack:
        booking = await create(stack, http, 0)
        for service in SERVICES[:3]:
            await stack.services(service)[0].kill()
        event = payment(booking)
        assert (await stack.deliver.stripe(event)).status_code == 200
        await eventually(lambda: confirmed(stack, http, booking), seconds=SECONDS_MAX)
        await eventually(lambda: logged(stack, http, event_id=event["id"]), seconds=SECONDS_MAX)
        changes = await eventually(
            lambda: logged(stack, http, booking_id=booking["id"], event_type="booking.status-changed"),
            seconds=SECONDS_MAX,
        )
        assert len(changes) == 1


async def is_shared(infra: Infra, group: str) -> bool:
    """Return whether two members of a consumer group have partitions each."""
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka_bootstrap)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    [(_, _, _, _, _, members, *_)] = answer.groups
    assignments = [ConsumerProtocolMemberAssignment.decode(member[4]) for member in members if member[4]]
    return len([assigned for assigned in assignments if assigned.assignment]) >= 2


async def create(stack: Stack, http: httpx.AsyncClient, replica: int) -> dict[str, Any]:
    answer = await http.post(f"{replica_url(stack, replica)}/api/bookings", json=request())
    assert answer.status_code == 201, answer.text
    return answer.json()


async def change(
    stack: Stack, http: httpx.AsyncClient, booking: dict[str, Any], status: str, *, replica: int
) -> httpx.Response:
    url = f"{replica_url(stack, replica)}/api/bookings/{booking['id']}"
    return await http.patch(url, json={"status": status, "reason": "asked to"})


def replica_url(stack: Stack, number: int) -> str:
    replicas = [replica for replica in stack.services("booking") if replica.running]
    return replicas[number % len(replicas)].url


async def statuses(stack: Stack, http: httpx.AsyncClient, booking: dict[str, Any]) -> list[tuple[int, str]]:
    answer = await http.get(f"{stack.url('booking')}/api/bookings/{booking['id']}/status-history")
    return [(entry["version"], entry["to_status"]) for entry in answer.json()["history"]]


async def confirmed(stack: Stack, http: httpx.AsyncClient, booking: dict[str, Any]) -> list[tuple[int, str]]:
    history = await statuses(stack, http, booking)
    assert (2, "confirmed") in history
    return history


async def everything_logged(stack: Stack, http: httpx.AsyncClient, booking: dict[str, Any]) -> None:
    """Return when audit has all deliveries made for a booking before: same key, same order."""
    marker = payment(booking) | {"type": "customer.updated"}
    assert (await stack.deliver.stripe(marker)).status_code == 200
    await eventually(lambda: logged(stack, http, event_id=marker["id"]), seconds=SECONDS_MAX)


async def logged(stack: Stack, http: httpx.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    answer = await http.get(f"{stack.url('audit')}/api/event-log", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def payment(booking: dict[str, Any]) -> dict[str, Any]:
    intent = {
        "id": f"pi_{clock.new_id()}",
        "object": "payment_intent",
        "amount_received": booking["total"]["amount"],
        "currency": booking["total"]["currency"].lower(),
        "metadata": {"booking_id": booking["id"]},
    }
    return {
        "id": f"evt_{clock.new_id()}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(clock.now().timestamp()),
        "data": {"object": intent},
    }
