"""Bookings over HTTP, by a real service on a real PostgreSQL (BK-2, BK-3, BK-4, BK-6)."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, start_services
from integration.booking.booking_calls import VISITS, WORKED_TOTAL, BookingApi, payload, request

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    body = answer.json()
    assert body["type"] == f"urn:plumbline:problem:{kind}"
    assert "\n" not in body["detail"]
    return body


async def test_new_booking_is_priced_and_answered_whole(api: BookingApi) -> None:
    answer = await api.call("POST", body=request(notes="ring twice"))
    assert answer.status_code == 201
    booking = answer.json()
    assert (booking["status"], booking["payment_status"], booking["version"]) == ("pending", "unpaid", 1)
    assert booking["total"] == {"amount": WORKED_TOTAL, "currency": "USD"}
    assert sum(line["amount"] for line in booking["pricing"]["line_items"]) == WORKED_TOTAL
    assert booking["client"] == request()["client"]
    assert booking["visits"] == request()["visits"]
    assert booking["updated_at"] == booking["created_at"]
    assert (booking["starts_at"], booking["notes"]) == ("2026-11-24T15:00:00Z", "ring twice")
    assert answer.headers["location"] == f"/api/bookings/{booking['id']}"
    assert answer.headers["etag"].startswith('"1-')
    booking.pop("warnings")
    assert await api.read(booking["id"]) == booking


async def test_odd_booking_is_priced_with_warnings(api: BookingApi) -> None:
    far = {"starts_at": "2090-06-01T15:00:00Z", "ends_at": "2090-06-01T20:00:00Z"}
    inside = {"starts_at": "2090-06-01T15:00:00Z", "ends_at": "2090-06-01T15:30:00Z"}
    outside = {"starts_at": "2090-06-01T15:15:00Z", "ends_at": "2090-06-01T20:30:00Z"}
    assert (await api.create(**far, visits=[inside]))["warnings"] == []
    odd = await api.create(**far, visits=[inside, outside])
    assert [(warning["code"], warning["field"]) for warning in odd["warnings"]] == [
        ("visit_outside_booking", "visits.1.ends_at"),
        ("visits_overlap", "visits.1.starts_at"),
    ]
    past = await api.create(starts_at="2025-03-08T15:00:00Z", ends_at="2025-03-10T15:00:00Z", visits=[])
    assert [warning["code"] for warning in past["warnings"]] == ["starts_in_past", "visits_missing"]


async def test_services_of_the_card_in_force_have_their_rates(
    booking_stack: Stack, http: httpx.AsyncClient, api: BookingApi
) -> None:
    answer = await http.get(f"{booking_stack.url('booking')}/api/services")
    assert answer.status_code == 200, answer.text
    services = answer.json()
    booking = await api.create()
    assert services["rate_card"] == booking["pricing"]["rate_card"]
    assert services["engine_version"] == booking["pricing"]["engine_version"]
    assert (services["currency"], services["next_cursor"]) == ("USD", None)
    rates = {service["service"]: service for service in services["items"]}
    assert rates["drop-in"] == {
        "service": "drop-in",
        "title": "Drop-in visit",
        "unit": "visit",
        "base": {"amount": 2000, "currency": "USD"},
        "long_visit": {"minutes": 60, "rate": {"amount": 3200, "currency": "USD"}},
        "pets_included": 1,
        "extra_pet": {"amount": 500, "currency": "USD"},
        "holiday": {"amount": 1000, "currency": "USD"},
    }
    assert rates["housesitting"]["unit"] == "night"


async def test_nights_are_counted_in_the_business_time_zone(api: BookingApi) -> None:
    booking = await api.create(
        service="housesitting",
        starts_at="2025-03-08T12:00:00-06:00",
        ends_at="2025-03-10T12:00:00-05:00",
        visits=[],
        holiday=True,
    )
    assert booking["total"]["amount"] == 25000


async def test_creation_is_announced_without_the_client(api: BookingApi) -> None:
    booking = await api.create(notes="key under the mat")
    (event,) = await api.events(booking["id"], 1)
    assert (event.header("ce_type"), event.header("ce_sequence")) == ("booking.created", "1")
    assert (event.header("ce_source"), event.header("ce_subject")) == ("booking", booking["id"])
    created = payload(event)
    (entry,) = await api.history(booking["id"])
    assert created["total"] == {"amount": WORKED_TOTAL, "currency": "USD"}
    assert created["recorded_at"].rstrip("Z") == entry["recorded_at"].rstrip("Z")
    for personal in (b"Ada", b"555", b"ada@", b"Rex", b"mat"):
        assert personal not in (event.value or b"")


@pytest.mark.parametrize(
    ("members", "kind", "detail"),
    [
        ({"service": "lion-taming"}, "unknown-service", "service: 'lion-taming' is unknown"),
        ({"ends_at": "2026-11-24T14:00:00Z"}, "invalid-request", "ends_at: "),
        ({"ends_at": "2027-12-29T15:00:00Z"}, "invalid-request", "ends_at: more than 366 days"),
        (
            {"visits": [VISITS[0], {**VISITS[0], "ends_at": "2026-11-24T14:00:00Z"}]},
            "invalid-request",
            "visits.1.ends_at: ",
        ),
        ({"pets": [{"name": "Rex", "species": "dog"}] * 51}, "invalid-request", "pets: "),
        ({"starts_at": "2026-11-24T15:00:00"}, "invalid-request", "starts_at: "),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "invalid-request", "starts_at: "),
        ({"client": {"name": "Ada"}}, "invalid-request", "client.phone: "),
        ({"pets": []}, "invalid-request", "pets: "),
        ({"total": 1}, "invalid-request", "total: "),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_wrong_request_names_the_field(
    api: BookingApi, members: dict[str, Any], kind: str, detail: str
) -> None:
    body = problem(await api.call("POST", body=request(**members)), 400, kind)
    assert body["detail"].startswith(detail)
    if kind == "unknown-service":
        assert sorted(body["services"]) == [
            "24-7-care", "dog-walking", "drop-in", "housesitting", "pet-taxi",
        ]  # fmt: skip
    else:
        assert body["errors"][0]["field"] == detail.partition(": ")[0]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"a": "\xff"}', b"[" * 100_000], ids=lambda body: body[:12]
)
async def test_unreadable_body_is_refused(api: BookingApi, http: httpx.AsyncClient, body: bytes) -> None:
    for method, path in (("POST", ""), ("PATCH", f"/{clock.new_id()}")):
        url = f"{api.stack.url('booking')}/api/bookings{path}"
        answer = await http.request(method, url, content=body, headers={"content-type": "application/json"})
        problem(answer, 400, "invalid-request")


@pytest.mark.parametrize("text", ["a\0b", "half an emoji: \ud83d"])
async def test_text_that_postgres_refuses_names_its_field(
    api: BookingApi, http: httpx.AsyncClient, text: str
) -> None:
    body = json.dumps(request(notes=text))
    url = f"{api.stack.url('booking')}/api/bookings"
    answer = await http.post(url, content=body, headers={"content-type": "application/json"})
    assert problem(answer, 400, "invalid-request")["errors"][0]["field"] == "notes"


async def test_status_changes_are_kept_with_who_and_why(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed", "pending", "confirmed", "in_progress", "completed")
    assert (booking["status"], booking["version"]) == ("completed", 6)
    history = await api.history(booking["id"])
    assert [entry["version"] for entry in history] == [1, 2, 3, 4, 5, 6]
    assert [entry["from_status"] for entry in history] == [
        None, "pending", "confirmed", "pending", "confirmed", "in_progress",
    ]  # fmt: skip
    assert {entry["changed_by"] for entry in history} == {"system"}
    assert [entry["reason"] for entry in history] == [None, *["asked to"] * 5]
    assert set(history[0]) == {
        "id", "from_status", "to_status", "changed_by", "reason", "metadata", "version", "recorded_at",
            "event_id", "event_log",
    }  # fmt: skip
    assert sorted(entry["recorded_at"] for entry in history) == [entry["recorded_at"] for entry in history]


async def test_every_transition_is_published_in_order(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed", "in_progress", "completed")
    events = await api.events(booking["id"], 4)
    assert [event.header("ce_sequence") for event in events] == ["1", "2", "3", "4"]
    assert [event.header("ce_type") for event in events[1:]] == ["booking.status-changed"] * 3
    history = await api.history(booking["id"])
    for event, entry in zip(events[1:], history[1:], strict=True):
        changed = payload(event)
        for name in ("from_status", "to_status", "changed_by", "reason", "metadata", "version"):
            assert changed[name] == entry[name]


async def test_illegal_change_names_what_is_allowed(api: BookingApi) -> None:
    booking = await api.create()
    body = problem(await api.change(booking["id"], "completed"), 409, "illegal-transition")
    assert (body["from"], body["to"]) == ("pending", "completed")
    assert body["allowed_transitions"] == ["confirmed", "cancelled"]
    assert (await api.read(booking["id"]))["version"] == booking["version"]


async def test_unknown_status_lists_the_known(api: BookingApi) -> None:
    booking = await api.create()
    body = problem(await api.change(booking["id"], "lost"), 400, "unknown-status")
    assert body["statuses"] == ["pending", "confirmed", "in_progress", "completed", "cancelled"]
    answer = await api.call("PATCH", f"/{booking['id']}", {"reason": "none"})
    assert problem(answer, 400, "invalid-request")["detail"].startswith("status: ")


async def test_same_status_changes_nothing(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed")
    answer = await api.change(booking["id"], "confirmed")
    assert (answer.status_code, answer.json()) == (200, booking)
    assert len(await api.history(booking["id"])) == 2


async def test_if_match_guards_the_version(api: BookingApi) -> None:
    booking = await api.create()
    for header, status in (('"2"', 412), ('W/"1"', 412), ("1", 400), ('"1"', 200), ('"1"', 412)):
        answer = await api.change(booking["id"], "confirmed", **{"If-Match": header})
        assert answer.status_code == status, header
    assert answer.json()["version"] == 2
    any_version = await api.change(booking["id"], "completed", **{"If-Match": "*"})
    assert any_version.headers["etag"].startswith('"3-')


async def test_changes_at_once_leave_a_gap_free_history(api: BookingApi) -> None:
    booking = await api.create()
    statuses = ["confirmed", "cancelled", "in_progress", "completed", "pending"] * 4
    answers = await asyncio.gather(*(api.change(booking["id"], status) for status in statuses))
    assert {answer.status_code for answer in answers} <= {200, 409}
    history = await api.history(booking["id"])
    assert [entry["version"] for entry in history] == list(range(1, len(history) + 1))
    for before, entry in itertools.pairwise(history):
        assert entry["from_status"] == before["to_status"]
    assert (await api.read(booking["id"]))["version"] == len(history)


@pytest.mark.parametrize("booking_id", [pytest.param(clock.new_id(), id="unknown"), "17", "%00", "{}"])
async def test_unknown_booking_is_not_found(api: BookingApi, booking_id: str) -> None:
    for path in ("", "/status-history", "/payments"):
        problem(await api.call("GET", f"/{booking_id}{path}"), 404, "unknown-booking")
    problem(await api.call("PATCH", f"/{booking_id}", {"status": "confirmed"}), 404, "unknown-booking")


async def test_list_is_filtered_and_paged_newest_first(api: BookingApi) -> None:
    made = [(await api.create(service="pet-taxi", visits=[]))["id"] for _ in range(5)]
    await api.change(made[2], "cancelled")
    params: dict[str, Any] = {"service": "pet-taxi", "status": "pending", "limit": 2}
    body: list[str] = []
    while True:
        page = (await api.call("GET", params=params)).json()
        assert len(page["items"]) <= 2
        body += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert body == [made[4], made[3], made[1], made[0]]
    unpaid = await api.call("GET", params={"payment_status": "paid", "service": "pet-taxi"})
    assert unpaid.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("payment_status", "x"),
        ("limit", "0"),
        ("limit", "501"),
        ("cursor", "Zm9v"),
        ("cursor", "WyJ4Il0"),
    ],
)
async def test_wrong_filter_is_refused(api: BookingApi, name: str, value: str) -> None:
    body = problem(await api.call("GET", params={name: value}), 400, "invalid-request")
    assert body["detail"].startswith(f"{name}: ")


async def test_openapi_describes_the_routes(api: BookingApi, http: httpx.AsyncClient) -> None:
    document = (await http.get(f"{api.stack.url('booking')}/schema/openapi.json")).json()
    assert {"get", "post"} == set(document["paths"]["/api/bookings"])
    assert {"get", "patch"} == set(document["paths"]["/api/bookings/{booking_id}"])
