"""A booking as it was at a version or moment, what may follow, what differs (BK-14)."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from harness import Infra, Stack, eventually, start_services
from integration.booking.booking_calls import WORKED_TOTAL, BookingApi, payment_record


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "audit") as stack:
        yield stack


@pytest.fixture
def api(own: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(own, http)


async def as_of(api: BookingApi, booking_id: str, moment: object, status: int = 200) -> dict[str, Any]:
    answer = await api.call("GET", f"/{booking_id}", params={"as_of": str(moment)})
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body.pop("as_of", str(moment)) == str(moment)
    return body


async def test_status_price_and_payments_as_they_were(api: BookingApi) -> None:
    booking = await api.create()
    await api.publish(payment_record(booking["id"], amount=5000))
    await api.when_paid(booking["id"], "partially_paid")
    await api.publish(payment_record(booking["id"], amount=WORKED_TOTAL - 5000))
    paid = await api.when_paid(booking["id"])
    await api.change(booking["id"], "cancelled")

    first = await as_of(api, booking["id"], 1)
    assert (first["status"], first["payment_status"], first["payments"]) == ("pending", "unpaid", [])
    assert (first["complete"], first["total"], first["pricing"]) == (
        True,
        booking["total"],
        booking["pricing"],
    )
    part = await as_of(api, booking["id"], 2)
    assert (part["payment_status"], [p["captured"] for p in part["payments"]]) == ("partially_paid", [5000])
    # Payment (3) and confirmation (4) are one transaction: version 3 never stood alone.
    assert await as_of(api, booking["id"], 3) == await as_of(api, booking["id"], paid["version"])
    assert (await as_of(api, booking["id"], paid["version"]))["status"] == "confirmed"
    for state in (first, part):
        assert await as_of(api, booking["id"], state["recorded_at"]) == state
    last = await as_of(api, booking["id"], 5)
    assert (last["status"], last["written_by"], len(last["payments"])) == ("cancelled", "booking", 2)


async def test_what_cannot_be_told_is_a_problem(api: BookingApi) -> None:
    booking = await api.create()
    for moment, status, kind in (
        (2, 404, "version-unknown"),
        ("2020-01-01T00:00:00Z", 404, "before-creation"),
        ("2999-01-01T00:00:00Z", 404, "moment-in-the-future"),
        ("yesterday", 400, "invalid-request"),
        ("0", 400, "invalid-request"),
        ("9" * 400, 400, "invalid-request"),
        ("2026-01-01", 400, "invalid-request"),
    ):
        problem = await as_of(api, booking["id"], moment, status)
        assert problem["type"] == f"urn:plumbline:problem:{kind}", moment
    nobody = await as_of(api, "0198c5a0-0000-7000-8000-000000000001", 1, 404)
    assert nobody["type"] == "urn:plumbline:problem:unknown-booking"


async def test_state_from_before_revisions_is_marked(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed")
    created = (await api.history(booking["id"]))[0]["recorded_at"]
    # As the migration leaves a booking that was there before it.
    async with api.stack.database("booking").without_triggers("booking_revision") as connection:
        await connection.execute(
            "DELETE FROM booking_revision WHERE booking_id = $1 AND version = 1", booking["id"]
        )
        await connection.execute(
            "UPDATE booking_revision SET is_first_known = true WHERE booking_id = $1", booking["id"]
        )
    assert (await as_of(api, booking["id"], 1, 404))["type"] == "urn:plumbline:problem:version-not-recorded"
    state = await as_of(api, booking["id"], created)
    assert (state["complete"], state["status"], state["total"]) == (False, "pending", None)


async def test_price_set_by_hand_leaves_a_revision_that_says_so(api: BookingApi) -> None:
    booking = await api.create()
    await api.stack.database("booking").execute(
        "UPDATE booking SET total = total + 250 WHERE booking_id = $1", booking["id"]
    )
    state = await as_of(api, booking["id"], 1)
    assert (state["total"]["amount"], state["written_by"]) == (WORKED_TOTAL + 250, "postgres")


async def test_differences_of_two_versions_add_up(api: BookingApi) -> None:
    booking = await api.create()
    await api.publish(payment_record(booking["id"]))
    await api.when_paid(booking["id"])
    answer = await api.call("GET", f"/{booking['id']}/differences", params={"from": 1, "to": 3})
    assert answer.status_code == 200, answer.text
    changed = {field["field"]: (field["before"], field["after"]) for field in answer.json()["fields"]}
    assert changed["status"] == ("pending", "confirmed")
    assert changed["captured"] == (0, WORKED_TOTAL)
    assert answer.json()["price"] == {"currency": "USD", "difference": 0, "lines": [], "other": 0}
    until_now = (await api.call("GET", f"/{booking['id']}/differences")).json()
    assert until_now == answer.json()
    for query, status in (({"from": 1, "to": 9}, 404), ({"from": 0, "to": 1}, 400)):
        assert (await api.call("GET", f"/{booking['id']}/differences", params=query)).status_code == status


async def test_steps_that_may_follow_and_why_not_the_others(api: BookingApi) -> None:
    booking = await api.create()
    steps = (await api.call("GET", f"/{booking['id']}/transitions")).json()
    assert (steps["allowed"], steps["final"]) == ([{"to": "confirmed"}, {"to": "cancelled"}], False)
    assert {step["to"] for step in steps["refused"]} == {"in_progress", "completed"}
    await api.change(booking["id"], "cancelled")
    steps = (await api.call("GET", f"/{booking['id']}/transitions")).json()
    assert (steps["allowed"], steps["final"]) == ([], True)
    assert all("cancelled is final" in step["why"] for step in steps["refused"])


async def test_each_transition_leads_to_its_entry_in_the_event_log(
    api: BookingApi, http: httpx.AsyncClient
) -> None:
    booking = await api.brought_to("confirmed", "cancelled")
    types: list[str] = []
    for row in await api.history(booking["id"]):

        async def entry(path: str = row["event_log"]) -> dict[str, Any]:
            items = (await http.get(api.stack.url("audit") + path)).json()["items"]
            assert len(items) == 1
            return items[0]

        item = await eventually(entry)
        assert (item["event_id"], item["booking_id"]) == (row["event_id"], booking["id"])
        types.append(item["event_type"])
    assert types == ["booking.created", "booking.status-changed", "booking.status-changed"]
