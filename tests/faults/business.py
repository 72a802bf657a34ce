"""What the fault tests do to a stack, and what must hold afterwards whatever happened (criteria G)."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import httpx

from chassis import clock
from harness import Stack, eventually

LEGAL = {
    (None, "pending"),
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "pending"),
    ("confirmed", "in_progress"),
    ("confirmed", "completed"),
    ("confirmed", "cancelled"),
    ("in_progress", "completed"),
    ("in_progress", "cancelled"),
}
SETTLE_SECONDS = 60.0


def booking_request(number: int = 0) -> dict[str, Any]:
    return {
        "client": {"name": f"Client {number}", "phone": "+13125550100"},
        "service": "drop-in",
        "starts_at": "2026-03-10T15:00:00Z",
        "ends_at": "2026-03-10T15:30:00Z",
        "pets": [{"name": "Rex", "species": "dog"}],
    }


async def create_booking(http: httpx.AsyncClient, url: str, number: int = 0) -> dict[str, Any]:
    answer = await http.post(f"{url}/api/bookings", json=booking_request(number))
    assert answer.status_code == 201, answer.text
    return answer.json()


def payment_succeeded(booking: dict[str, Any]) -> dict[str, Any]:
    """A Stripe event that pays a booking in full, new each time."""
    name = clock.new_id()
    return {
        "id": f"evt_{name}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_773_000_000,
        "data": {
            "object": {
                "id": f"pi_{name}",
                "object": "payment_intent",
                "amount": booking["total"]["amount"],
                "amount_received": booking["total"]["amount"],
                "currency": booking["total"]["currency"].lower(),
                "metadata": {"booking_id": booking["id"]},
            }
        },
    }


async def assert_confirmed_once(stack: Stack, booking_id: str) -> None:
    """One payment, one confirmation, however often the event came."""
    database = stack.database("booking")
    rows = await database.fetch(
        "SELECT version, from_status, to_status, changed_by FROM status_transition "
        "WHERE booking_id = $1 ORDER BY version",
        booking_id,
    )
    steps = [(row["version"], row["from_status"], row["to_status"], row["changed_by"]) for row in rows]
    assert steps == [(1, None, "pending", "system"), (2, "pending", "confirmed", "stripe")]
    assert await database.fetchval("SELECT count(*) FROM payment WHERE booking_id = $1", booking_id) == 1


async def assert_histories_sound(stack: Stack) -> None:
    """Every booking's history: versions without a gap, each step legal and joined to the one before."""
    rows = await stack.database("booking").fetch(
        "SELECT booking_id, version, from_status, to_status FROM status_transition ORDER BY 1, 2"
    )
    histories: dict[Any, list[Any]] = {}
    for row in rows:
        histories.setdefault(row["booking_id"], []).append(row)
    for steps in histories.values():
        assert [step["version"] for step in steps] == list(range(1, len(steps) + 1))
        assert all((step["from_status"], step["to_status"]) in LEGAL for step in steps)
        assert all(before["to_status"] == after["from_status"] for before, after in pairwise(steps))


async def assert_logged_exactly_once(stack: Stack, event_ids: Iterable[str]) -> None:
    """Each accepted event has one entry in the EventLog: none lost, none twice."""
    wanted = set(event_ids)

    async def complete() -> None:
        rows = await stack.database("audit").fetch(
            "SELECT event_id FROM event_log WHERE event_id = ANY($1)", list(wanted)
        )
        assert Counter(row["event_id"] for row in rows) == Counter(wanted)

    await eventually(_true(complete), seconds=SETTLE_SECONDS, what="each event in the EventLog once")


async def assert_outbox_drains(stack: Stack) -> None:
    async def empty() -> bool:
        return await stack.database("booking").fetchval("SELECT count(*) FROM outbox") == 0

    await eventually(empty, seconds=SETTLE_SECONDS, what="an empty outbox")


async def assert_nothing_set_aside(stack: Stack) -> None:
    assert await stack.database("booking").fetchval("SELECT count(*) FROM dead_letter") == 0


async def assert_published_in_order(stack: Stack) -> None:
    """Per booking the last copy of each event stands in order of its sequence, and no sequence is missing."""
    records = await stack.topic("bookings.events.v1").records()
    last: dict[bytes | None, dict[int, tuple[int, int]]] = {}
    for record in records:
        sequence = int(record.header("ce_sequence") or 0)
        last.setdefault(record.key, {})[sequence] = (record.partition, record.offset)
    for sequences in last.values():
        assert sorted(sequences) == list(range(1, len(sequences) + 1))
        positions = [sequences[number] for number in sorted(sequences)]
        assert positions == sorted(positions)


def _true(check: Any) -> Any:
    async def checked() -> bool:
        await check()
        return True

    return checked
