"""The exception queue: its list, problems that booking reports, and missing rights."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, Stack, eventually, start_services
from integration.reconciler.reconciler_bookings import completed_run, corrupt, exceptions_of, insert_bookings

APPEND_ONLY = [
    "UPDATE exception_event SET actor = 'x'",
    "DELETE FROM exception_event",
    "TRUNCATE exception_event",
]


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def publish(own: Stack, event_type: str, payload: dict[str, Any], event_id: str) -> None:
    headers = {"ce_specversion": "1.0", "ce_id": event_id, "ce_source": "booking", "ce_type": event_type}
    await own.topic("bookings.events.v1").publish(
        json.dumps(payload).encode(),
        key=b"key",
        headers=[(name, value.encode()) for name, value in headers.items()],
    )


async def queue(own: Stack, http: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    response = await http.get(f"{own.url('reconciler')}/api/exceptions", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


async def everything_is_applied(own: Stack, http: httpx.AsyncClient) -> None:
    """All that was published so far: one more message of the same key has become an exception."""
    last = new_id()
    payload = {
        "source": last,
        "event_id": last,
        "first_body_sha256": "aa",
        "second_body_sha256": "bb",
        "recorded_at": "2026-11-23T08:00:00Z",
    }
    await publish(own, "booking.identity-conflict", payload, last)

    async def there() -> bool:
        answer = await queue(own, http, type="identity_conflict", limit=500)
        return any(item["explanation"]["source"] == last for item in answer["exceptions"])

    await eventually(there)


async def test_list_is_sorted_by_severity_then_age_and_paged(own: Stack, http: httpx.AsyncClient) -> None:
    ids = await insert_bookings(own, 6)
    for booking, total in zip(ids, [13202, 20000, 13400, 13203, 20001, 13401], strict=True):
        await corrupt(own, booking, "total = $2", total)
        await completed_run(own, http)
    pages: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await queue(own, http, limit=4, type="pricing_drift", status="open", **cursor)
        pages.append(answer)
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    items = [item for answer in pages for item in answer["exceptions"]]
    ours = [ids.index(item["booking_id"]) for item in items if item["booking_id"] in ids]
    assert ours == [1, 4, 2, 5, 0, 3]
    summary = pages[0]["summary"]
    assert summary["total"] == len(items) == sum(summary["by_type"].values())
    assert summary["by_severity"] == Counter(item["severity"] for item in items)
    medium = await queue(own, http, severity="medium", status="open", type="pricing_drift", limit=500)
    assert {item["severity"] for item in medium["exceptions"]} == {"medium"}
    assert medium["summary"]["by_severity"] == {"medium": summary["by_severity"]["medium"]}


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "x"},
        {"status": "x"},
        {"severity": "x"},
        {"limit": 0},
        {"limit": 501},
        {"cursor": "x"},
        {"cursor": "WzFd"},
    ],
)
async def test_wrong_parameter_is_a_problem(
    own: Stack, http: httpx.AsyncClient, parameters: dict[str, Any]
) -> None:
    response = await http.get(f"{own.url('reconciler')}/api/exceptions", params=parameters)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["exceptions", "reconciliation/runs"])
async def test_unknown_id_is_not_found(own: Stack, http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(f"{own.url('reconciler')}/api/{path}/{new_id()}")
    assert response.status_code == 404


async def test_payment_anomaly_becomes_one_exception(own: Stack, http: httpx.AsyncClient) -> None:
    booking = new_id()
    payload = {
        "booking_id": booking,
        "kind": "booking_cancelled",
        "provider": "stripe",
        "provider_payment_id": "pi_\0x",
        "captured": {"amount": 13200, "currency": "USD"},
        "explanation": "the booking is cancelled",
        "recorded_at": "2026-11-23T08:00:00Z",
    }
    event_id = new_id()
    for _ in range(3):
        await publish(own, "booking.payment-anomaly", payload, event_id)
    await publish(own, "booking.payment-anomaly", payload, new_id())
    await everything_is_applied(own, http)
    [item] = (await exceptions_of(own, http, [booking]))[booking]
    assert (item["type"], item["severity"], item["revision"]) == ("payment_anomaly", "high", 1)
    assert item["occurrences"] == 2
    assert item["explanation"]["totals"]["charged"] == 13200
    await completed_run(own, http)
    [item] = (await exceptions_of(own, http, [booking]))[booking]
    assert item["status"] == "open"


async def test_yes_that_fits_several_offers_is_open_until_the_person_accepts_one(
    own: Stack, http: httpx.AsyncClient
) -> None:
    person, booking = f"sitter-{new_id()}", new_id()
    offers = [{"offer_id": new_id(), "booking_id": each, "person_id": person} for each in (booking, new_id())]
    ambiguous = {
        "booking_id": booking,
        "person_id": person,
        "offers": offers,
        "sms_event_id": "EV1",
        "recorded_at": "2026-11-23T08:00:00Z",
    }
    await publish(own, "booking.offer-ambiguous", ambiguous, new_id())
    await everything_is_applied(own, http)
    [item] = (await exceptions_of(own, http, [booking]))[booking]
    assert (item["type"], item["status"]) == ("offer_ambiguous", "open")
    accepted = {**offers[1], "sms_event_id": "EV2", "recorded_at": "2026-11-23T08:01:00Z"}
    await publish(own, "booking.offer-accepted", accepted, new_id())
    await everything_is_applied(own, http)
    [item] = (await exceptions_of(own, http, [booking]))[booking]
    assert item["status"] == "resolved"


async def test_identity_conflict_becomes_an_exception(own: Stack, http: httpx.AsyncClient) -> None:
    provider_event = new_id()
    payload = {
        "source": "/webhooks/stripe",
        "event_id": provider_event,
        "first_body_sha256": "aa",
        "second_body_sha256": "bb",
        "recorded_at": "2026-11-23T08:00:00Z",
    }
    for _ in range(2):
        await publish(own, "booking.identity-conflict", payload, new_id())
    await everything_is_applied(own, http)
    answer = await queue(own, http, type="identity_conflict", limit=500)
    anomalies = [item for item in answer["exceptions"] if provider_event in item["title"]]
    assert [(item["occurrences"], item["booking_id"], item["severity"]) for item in anomalies] == [
        (2, None, "high")
    ]


async def test_same_event_id_with_another_body_is_not_applied_but_reported(
    own: Stack, http: httpx.AsyncClient
) -> None:
    event_id, first, second = new_id(), new_id(), new_id()
    for source in (first, second):
        payload = {
            "source": source,
            "event_id": "evt",
            "first_body_sha256": "aa",
            "second_body_sha256": "bb",
            "recorded_at": "2026-11-23T08:00:00Z",
        }
        await publish(own, "booking.identity-conflict", payload, event_id)

    async def reported() -> bool:
        answer = await queue(own, http, type="identity_conflict", limit=500)
        return any(item["explanation"]["event_id"] == event_id for item in answer["exceptions"])

    assert await eventually(reported)
    sources = [
        i["explanation"]["source"]
        for i in (await queue(own, http, limit=500))["exceptions"]
        if i["type"] == "identity_conflict"
    ]
    assert first in sources
    assert second not in sources


@pytest.mark.parametrize("statement", APPEND_ONLY)
@pytest.mark.parametrize("role", ["reconciler", None])
async def test_history_of_exceptions_cannot_be_changed(
    own: Stack, http: httpx.AsyncClient, statement: str, role: str | None
) -> None:
    [booking] = await insert_bookings(own)
    await corrupt(own, booking, "total = 15000")
    await completed_run(own, http)
    async with own.database("reconciler").connect(role) as connection:
        if role is None:
            await connection.execute("SET session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"{statement.replace('exception_event', 'reconciler.exception_event')}")
