"""The office's day: search, changes with a new price, overrides, money from elsewhere (BK-3, BK-6, BK-16)."""

from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, start_services
from integration.booking.booking_calls import VISITS, WORKED_TOTAL, BookingApi, payload, payment_record


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


async def found(api: BookingApi, **params: str) -> list[str]:
    answer = await api.call("GET", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_bookings_are_found_by_client_phone_and_day(api: BookingApi) -> None:
    mine = await api.create(client={"name": "Zoë O'Neil", "phone": "(312) 555-0177"})
    other = await api.create(client={"name": "Bo", "phone": "+13125550178"})
    assert mine["client"]["phone"] == "+13125550177"
    assert await found(api, client="o'NEIL") == [mine["id"]]
    for phone in ("312-555-0177", "+1 312 555 0177", "13125550177"):
        assert await found(api, phone=phone) == [mine["id"]]
    # 15:00 UTC is 09:00 in Chicago: the local day is the 24th, from 06:00 UTC on.
    assert {mine["id"], other["id"]} <= set(await found(api, day="2026-11-24", limit="500"))
    assert await found(api, day="2026-11-25", phone="+13125550177") == []


@pytest.mark.parametrize(
    "day", ["2026-11-31", "24.11.2026", "20261124", "2026-11-24T10:00:00Z", "9999-12-31"]
)
async def test_day_that_is_no_date_is_refused(api: BookingApi, day: str) -> None:
    answer = await api.call("GET", params={"day": day})
    assert (answer.status_code, "day" in answer.json()["detail"]) == (400, True)


async def test_cursor_of_another_search_is_refused(api: BookingApi) -> None:
    for _ in range(2):
        await api.create(client={"name": "Page", "phone": "+13125550180"})
    first = (await api.call("GET", params={"phone": "+13125550180", "limit": 1})).json()
    more = {"cursor": first["next_cursor"], "limit": 1}
    assert (await api.call("GET", params={"phone": "+13125550181", **more})).status_code == 400
    second = (await api.call("GET", params={"phone": "+13125550180", **more})).json()
    assert second["items"][0]["id"] != first["items"][0]["id"]


async def patch(api: BookingApi, booking: dict[str, Any], **members: Any) -> httpx.Response:
    return await api.call("PATCH", f"/{booking['id']}", members)


async def test_pending_booking_is_changed_and_priced_anew(api: BookingApi) -> None:
    booking = await api.create()
    answer = await patch(
        api, booking, visits=VISITS[:1], pets=[{"name": "Rex", "species": "dog"}], notes="key"
    )
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert after["price_change"] == {
        "before": {"amount": WORKED_TOTAL, "currency": "USD"},
        "after": {"amount": 3000, "currency": "USD"},
    }
    assert (after["total"]["amount"], after["pricing"]["total"], after["version"]) == (3000, 3000, 3)
    assert await api.read(booking["id"]) == {
        name: value for name, value in after.items() if name not in {"warnings", "price_change"}
    }
    events = await api.events(booking["id"], 3)
    assert [event.header("ce_type") for event in events] == [
        "booking.created",
        "booking.changed",
        "booking.repriced",
    ]
    assert payload(events[1])["fields"] == ["pets", "visits", "notes"]
    assert "Rex" not in str(events)


async def test_confirmed_booking_keeps_its_price(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed")
    later = [{"starts_at": visit["starts_at"], "ends_at": visit["ends_at"]} for visit in reversed(VISITS)]
    moved = await patch(api, booking, visits=later, notes=None)
    assert (moved.status_code, moved.json()["total"]["amount"]) == (200, WORKED_TOTAL)
    assert moved.json()["pricing"] == booking["pricing"]
    dearer = await patch(api, booking, pets=[{"name": "Rex", "species": "dog"}])
    assert (dearer.status_code, dearer.json()["type"]) == (409, "urn:plumbline:problem:price-frozen")
    assert "reprice" in dearer.json()["detail"]
    assert (await api.read(booking["id"]))["version"] == moved.json()["version"]


async def test_final_and_running_bookings_refuse_details(api: BookingApi) -> None:
    done = await api.brought_to("confirmed", "completed")
    refused = await patch(api, done, notes="late")
    assert (refused.status_code, refused.json()["fields"]) == (409, ["notes"])
    running = await api.brought_to("confirmed", "in_progress")
    assert (await patch(api, running, notes="fed at noon")).status_code == 200
    assert (await patch(api, running, ends_at="2026-11-24T23:30:00Z")).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"pets": []},
        {"pets": None},
        {"ends_at": "2026-11-24T10:00:00Z"},
        {"ends_at": "2028-11-24T10:00:00Z"},
        {"notes": "x" * 1_000_000},
        {"service": "dog-walking"},
        {"holiday": "no"},
        {"client": {"name": "A", "phone": "12"}},
    ],
)
async def test_change_that_makes_no_sense_changes_nothing(api: BookingApi, body: dict[str, Any]) -> None:
    booking = await api.create()
    answer = await api.call("PATCH", f"/{booking['id']}", body)
    assert answer.status_code in {400, 413}, answer.text
    assert await api.read(booking["id"]) == {
        name: value for name, value in booking.items() if name != "warnings"
    }


async def reprice(api: BookingApi, booking: dict[str, Any], **members: Any) -> httpx.Response:
    return await api.call("POST", f"/{booking['id']}/reprice", {"reason": "agreed by phone", **members})


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


async def test_override_keeps_before_and_after_and_is_told(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed")
    answer = await reprice(api, booking, total=usd(12000))
    assert answer.status_code == 200, answer.text
    after = answer.json()
    override = {"before": WORKED_TOTAL, "after": 12000, "reason": "agreed by phone", "actor": "system"}
    assert (after["total"], after["pricing"]["override"]) == (usd(12000), override)
    assert sum(line["amount"] for line in after["pricing"]["line_items"]) == 12000
    event = (await api.events(booking["id"], 3))[2]
    assert (payload(event)["cause"], payload(event)["after"]) == ("override", usd(12000))
    assert "agreed by phone" not in str(event)


async def test_repricing_computes_anew_only_while_pending(api: BookingApi) -> None:
    booking = await api.create()
    await reprice(api, booking, total=usd(1))
    anew = await reprice(api, booking, service="dog-walking")
    assert (anew.json()["service"], anew.json()["total"]) == ("dog-walking", usd(WORKED_TOTAL))
    assert anew.json()["pricing"].get("override") is None
    await api.change(booking["id"], "confirmed")
    assert (await reprice(api, booking)).json()["type"].endswith("price-frozen")


async def test_lower_price_that_is_paid_confirms(api: BookingApi) -> None:
    booking = await api.create()
    await api.publish(payment_record(booking["id"], amount=10000))
    await api.when_paid(booking["id"], "partially_paid")
    after = (await reprice(api, booking, total=usd(10000))).json()
    assert (after["status"], after["payment_status"]) == ("confirmed", "paid")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": ""},
        {"reason": "r", "total": usd(-1)},
        {"reason": "r", "total": usd(2**53 + 1)},
        {"reason": "r", "total": {"amount": 1, "currency": "EUR"}},
        {"reason": "r", "total": {"amount": 1, "currency": "usd"}},
        {"reason": "r", "total": usd(5), "service": "drop-in"},
        {"reason": "r", "service": "cat-whispering"},
        {"total": usd(5)},
    ],
)
async def test_repricing_that_makes_no_sense_changes_nothing(api: BookingApi, body: dict[str, Any]) -> None:
    booking = await api.create()
    answer = await api.call("POST", f"/{booking['id']}/reprice", body)
    assert answer.status_code == 400, answer.text
    assert (await api.read(booking["id"]))["version"] == 1


async def test_price_is_frozen_in_the_database_too(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed")
    async with api.stack.database("booking").connect("booking") as service:
        for column in ("total = 1", "pricing = pricing || '{\"total\": 1}'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is frozen"):
                await service.execute(f"UPDATE booking SET {column} WHERE booking_id = $1", booking["id"])


async def enter(api: BookingApi, booking: dict[str, Any], **members: Any) -> httpx.Response:
    body = {"amount": usd(WORKED_TOTAL), "method": "cash", "reason": "paid at the door", **members}
    return await api.call("POST", f"/{booking['id']}/payments", body)


async def test_cash_pays_a_booking_and_is_undone_by_a_counter_entry(api: BookingApi) -> None:
    booking = await api.create()
    answer = await enter(api, booking, received_at="2026-11-20T10:00:00Z")
    assert answer.status_code == 201, answer.text
    payment = answer.json()
    assert (payment["provider"], payment["method"], payment["entered_by"]) == ("office", "cash", "system")
    paid = await api.read(booking["id"])
    assert (paid["status"], paid["payment_status"]) == ("confirmed", "paid")
    undo = {"reverses": payment["id"], "reason": "wrong booking"}
    undone = await api.call("POST", f"/{booking['id']}/payments", undo)
    assert (undone.status_code, undone.json()["status"]) == (201, "canceled")
    after = await api.read(booking["id"])
    assert (after["status"], after["payment_status"]) == ("confirmed", "unpaid")
    again = await api.call("POST", f"/{booking['id']}/payments", undo)
    assert (again.status_code, again.json()["type"]) == (409, "urn:plumbline:problem:already-reversed")
    [listed] = await api.payments(booking["id"])
    assert (listed["status"], listed["captured"]) == ("canceled", usd(0))
    view = "SELECT captured, charge_count FROM reconciliation_v1 WHERE booking_id = $1"
    [row] = await api.stack.database("booking").fetch(view, booking["id"])
    assert (row["captured"], row["charge_count"]) == (0, 0)


async def test_cash_and_stripe_add_up(api: BookingApi) -> None:
    booking = await api.create()
    assert (await enter(api, booking, amount=usd(200))).status_code == 201
    await api.publish(payment_record(booking["id"], amount=WORKED_TOTAL - 200))
    assert (await api.when_paid(booking["id"]))["status"] == "confirmed"
    stripe = next(item for item in await api.payments(booking["id"]) if item["provider"] == "stripe")
    refused = await api.call("POST", f"/{booking['id']}/payments", {"reverses": stripe["id"], "reason": "no"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:plumbline:problem:not-an-entry")


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"amount": usd(0)}, 400),
        ({"amount": usd(-1)}, 400),
        ({"amount": usd(2**53)}, 400),
        ({"amount": {"amount": 5, "currency": "EUR"}}, 400),
        ({"amount": {"amount": 1.5, "currency": "USD"}}, 400),
        ({"method": "barter"}, 400),
        ({"reason": " "}, 400),
        ({"reverses": "nothing"}, 400),
    ],
)
async def test_entry_that_makes_no_sense_is_refused(
    api: BookingApi, members: dict[str, Any], status: int
) -> None:
    booking = await api.create()
    assert (await enter(api, booking, **members)).status_code == status
    assert await api.payments(booking["id"]) == []


async def test_entry_of_a_cancelled_or_unknown_booking_is_refused(api: BookingApi) -> None:
    cancelled = await api.brought_to("cancelled")
    assert (await enter(api, cancelled)).json()["type"].endswith("booking-cancelled")
    assert (await enter(api, {"id": clock.new_id()})).status_code == 404
    open_one = await api.create()
    unknown = {"reverses": clock.new_id(), "reason": "r"}
    assert (await api.call("POST", f"/{open_one['id']}/payments", unknown)).status_code == 404


async def test_pending_again_and_new_details_in_one_request(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed")
    answer = await patch(api, booking, status="pending", visits=VISITS[:1])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["total"]["amount"]) == ("pending", 4000)
    assert [step["to_status"] for step in await api.history(booking["id"])] == [
        "pending",
        "confirmed",
        "pending",
    ]
