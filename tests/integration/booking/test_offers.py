"""Offers over HTTP and answers by SMS on their topic (BK-9). No SMS touches money."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import httpx
import pytest

from chassis import clock
from harness import Infra, Record, Stack, eventually, start_services
from integration.booking.booking_calls import BookingApi, payment_record
from integration.booking.offer_calls import (
    SMS,
    booking_to_come,
    legacy_sms,
    make_offer,
    new_phone,
    offer_events,
    offers,
    post_offer,
    quo_sms,
    send,
    sms_row,
)


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


async def test_offer_is_made_with_its_phone_in_e164_and_expires_in_a_day(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    answer = await post_offer(api, booking_id, phone="(312) 555-0100", person_id="sitter-7", name="Kim")
    assert answer.status_code == 201, answer.text
    offer = answer.json()
    assert (offer["status"], offer["phone"], offer["person_id"]) == ("open", "+13125550100", "sitter-7")
    assert answer.headers["location"] == f"/api/bookings/{booking_id}/offers/{offer['id']}"
    assert await offers(api, booking_id) == {offer["id"]: offer}
    (made,) = await offer_events(api, booking_id, 2)
    assert (made[0], made[1]["person_id"]) == ("booking.offer-made", "sitter-7")
    assert "phone" not in made[1]
    assert "Kim" not in str(made[1])


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"phone": "555-0100"}, "phone"),
        ({"phone": "+1312555010x"}, "phone"),
        ({"person_id": "Kim Example"}, "person_id"),
        ({"person_id": "+13125550100"}, "person_id"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": ""}, "name"),
        ({"price": 1}, "price"),
    ],
)
async def test_offer_that_cannot_be_used_is_refused_by_its_field(
    api: BookingApi, members: dict[str, object], field: str
) -> None:
    answer = await post_offer(api, await booking_to_come(api), **members)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("envelope", [legacy_sms, quo_sms])
async def test_yes_confirms_the_booking_and_leaves_its_money_alone(
    api: BookingApi, envelope: Callable[[str, str], Record]
) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id, person_id="sitter-7")
    record = envelope(offer["phone"], " YES! ")
    (row,) = await send(api, record)
    assert (row["outcome"], str(row["offer_id"]), row["text"]) == ("accepted", offer["id"], " YES! ")
    assert (row["sender"], row["recipient"]) == (offer["phone"], "+13125550000")
    booking = await api.read(booking_id)
    assert (booking["status"], booking["payment_status"]) == ("confirmed", "unpaid")
    assert await api.payments(booking_id) == []
    entry = (await api.history(booking_id))[-1]
    assert (entry["changed_by"], entry["version"]) == ("sms:sitter-7", 2)
    assert entry["metadata"] == {"offer_id": offer["id"], "event_id": record.header("ce_id")}
    assert (await offers(api, booking_id))[offer["id"]]["status"] == "accepted"
    events = await api.events(booking_id, 4)
    assert [event.header("ce_type") for event in events] == [
        "booking.created", "booking.offer-made", "booking.status-changed", "booking.offer-accepted",
    ]  # fmt: skip
    assert [event.header("ce_sequence") for event in events] == ["1", "2", "3", "4"]
    assert {event.header("ce_causationid") for event in events[2:]} == {record.header("ce_id")}
    assert booking["version"] == 4


async def test_first_yes_wins_and_the_other_person_is_told(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    first = await make_offer(api, booking_id, person_id="sitter-1")
    second = await make_offer(api, booking_id, person_id="sitter-2")
    await send(api, quo_sms(second["phone"], "i accept"))
    (late,) = await send(api, quo_sms(first["phone"], "yes"))
    assert (late["outcome"], str(late["offer_id"])) == ("too_late", first["id"])
    now = await offers(api, booking_id)
    assert (now[first["id"]]["status"], now[first["id"]]["closed_reason"]) == ("closed", "taken")
    events = await offer_events(api, booking_id, 7)
    assert [name for name, _ in events[2:]] == [
        "booking.offer-accepted", "booking.offer-closed", "booking.offer-too-late",
    ]  # fmt: skip
    assert (events[3][1]["closed_reason"], events[3][1]["closed_by"]) == ("taken", "sms:sitter-2")
    assert (events[4][1]["closed_reason"], events[4][1]["person_id"]) == ("taken", "sitter-1")
    assert len(await api.history(booking_id)) == 2


async def test_of_many_yes_at_once_exactly_one_wins(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    people = [await make_offer(api, booking_id, person_id=f"sitter-{n}") for n in range(8)]
    # Different keys lie on different partitions; a second replica takes half of them.
    second = await api.stack.start("booking", arguments=("--only", "consumers"))
    records = [quo_sms(person["phone"], "yes") for person in people]
    try:
        await asyncio.gather(*(api.stack.topic(SMS).publish_all([record]) for record in records))
        rows = [await sms_row(api, record) for record in records]
    finally:
        await second.stop()
    assert sorted(row["outcome"] for row in rows) == ["accepted"] + ["too_late"] * 7
    status = [offer["status"] for offer in (await offers(api, booking_id)).values()]
    assert sorted(status) == ["accepted"] + ["closed"] * 7
    history = await api.history(booking_id)
    (winner,) = [row["offer_id"] for row in rows if row["outcome"] == "accepted"]
    person = next(person["person_id"] for person in people if person["id"] == str(winner))
    assert [entry["changed_by"] for entry in history[1:]] == [f"sms:{person}"]
    events = await offer_events(api, booking_id, 1 + 8 + 2 + 7 + 7)
    assert [name for name, _ in events].count("booking.offer-accepted") == 1


async def test_redelivered_yes_has_one_effect(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id)
    record = legacy_sms(offer["phone"], "y")
    await send(api, record, record)
    await api.stack.topic(SMS).publish_all([record])
    (again,) = await send(api, legacy_sms(offer["phone"], "yes"))
    assert again["outcome"] == "already_accepted"
    assert (await api.read(booking_id))["version"] == 4
    count = "SELECT count(*) FROM sms_message WHERE event_id = $1"
    assert await api.stack.database("booking").fetchval(count, record.header("ce_id")) == 1


async def test_yes_to_a_booking_that_is_paid_already_accepts_without_a_transition(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id)
    total = (await api.read(booking_id))["total"]["amount"]
    await api.publish(payment_record(booking_id, amount=total))
    paid = await api.when_paid(booking_id)
    (row,) = await send(api, quo_sms(offer["phone"], "yes"))
    assert row["outcome"] == "accepted"
    booking = await api.read(booking_id)
    assert (booking["status"], booking["payment_status"]) == ("confirmed", "paid")
    assert booking["version"] == paid["version"] + 1
    assert [entry["changed_by"] for entry in await api.history(booking_id)][1:] == ["stripe"]


async def test_yes_to_several_open_offers_accepts_none_and_asks_a_person(api: BookingApi) -> None:
    phone = new_phone()
    bookings = [await booking_to_come(api) for _ in range(2)]
    made = [await make_offer(api, booking_id, phone=phone) for booking_id in bookings]
    (row,) = await send(api, quo_sms(phone, "yes"))
    assert (row["outcome"], row["offer_id"]) == ("ambiguous", None)
    assert [(await api.read(booking_id))["status"] for booking_id in bookings] == ["pending"] * 2
    (_, (name, ambiguous)) = await offer_events(api, bookings[1], 3)
    assert name == "booking.offer-ambiguous"
    assert {offer["offer_id"] for offer in ambiguous["offers"]} == {offer["id"] for offer in made}
    assert phone not in str(ambiguous)
    assert (await api.call("POST", f"/{bookings[1]}/offers/{made[1]['id']}/withdraw")).status_code == 200
    (row,) = await send(api, quo_sms(phone, "yes"))
    assert (row["outcome"], str(row["offer_id"])) == ("accepted", made[0]["id"])


async def test_yes_before_an_offer_is_recorded_and_never_applied(api: BookingApi) -> None:
    phone = new_phone()
    (row,) = await send(api, quo_sms(phone, "yes"))
    assert (row["outcome"], row["offer_id"]) == ("no_offer", None)
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id, phone=phone)
    (row,) = await send(api, quo_sms(phone, "yes, but only the morning"))
    assert row["outcome"] == "no_yes"
    assert (await offers(api, booking_id))[offer["id"]]["status"] == "open"


@pytest.mark.parametrize("sender", ["", "12345", "anonymous", "\ud83d", "x" * 5000])
async def test_sms_of_an_unusable_sender_is_recorded(api: BookingApi, sender: str) -> None:
    (row,) = await send(api, legacy_sms(sender, "yes \ud83d" if sender == "\ud83d" else "yes"))
    assert row["outcome"] == ("no_yes" if sender == "\ud83d" else "unknown_sender")


async def test_expired_offer_is_closed_and_a_yes_comes_too_late(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    expires_at = (clock.now() + timedelta(seconds=1)).isoformat()
    offer = await make_offer(api, booking_id, expires_at=expires_at)

    async def is_closed() -> bool:
        return (await offers(api, booking_id))[offer["id"]]["closed_reason"] == "expired"

    await eventually(is_closed, seconds=20)
    (row,) = await send(api, quo_sms(offer["phone"], "yes"))
    assert row["outcome"] == "too_late"
    assert (await api.read(booking_id))["status"] == "pending"
    events = await offer_events(api, booking_id, 4)
    assert [name for name, _ in events] == [
        "booking.offer-made", "booking.offer-closed", "booking.offer-too-late",
    ]  # fmt: skip


async def test_yes_to_a_cancelled_booking_closes_the_offer(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id)
    assert (await api.change(booking_id, "cancelled")).status_code == 200
    (row,) = await send(api, quo_sms(offer["phone"], "yes"))
    assert (row["outcome"], str(row["offer_id"])) == ("too_late", offer["id"])
    assert (await offers(api, booking_id))[offer["id"]]["closed_reason"] == "booking_closed"
    assert (await api.read(booking_id))["status"] == "cancelled"


async def test_offer_of_a_booking_that_nobody_can_take_is_refused(api: BookingApi) -> None:
    cancelled = await booking_to_come(api)
    assert (await api.change(cancelled, "cancelled")).status_code == 200
    past = (await api.create())["id"]
    for booking_id in (cancelled, past):
        answer = await post_offer(api, booking_id)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:plumbline:problem:booking-closed")
    unknown = await post_offer(api, clock.new_id())
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:plumbline:problem:unknown-booking")


async def test_second_offer_to_a_phone_or_of_a_taken_booking_is_refused(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id)
    same = await post_offer(api, booking_id, phone=offer["phone"])
    assert (same.status_code, same.json()["offer_id"]) == (409, offer["id"])
    await send(api, quo_sms(offer["phone"], "yes"))
    taken = await post_offer(api, booking_id)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:plumbline:problem:offer-exists")


async def test_withdrawn_offer_is_closed_once_and_frees_the_booking(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id)
    path = f"/{booking_id}/offers/{offer['id']}/withdraw"
    for _ in range(2):
        answer = await api.call("POST", path)
        assert (answer.status_code, answer.json()["closed_reason"]) == (200, "withdrawn")
    assert (await api.read(booking_id))["version"] == 3
    (row,) = await send(api, quo_sms(offer["phone"], "yes"))
    assert row["outcome"] == "too_late"
    other = await api.call("POST", f"/{await booking_to_come(api)}/offers/{offer['id']}/withdraw")
    assert (other.status_code, other.json()["type"]) == (404, "urn:plumbline:problem:unknown-offer")
    assert (await api.call("POST", f"/{booking_id}/offers/x/withdraw")).status_code == 404


async def test_repeated_request_under_a_key_makes_one_offer(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    body = {"person_id": "sitter-1", "name": "Kim", "phone": new_phone()}
    headers = {"Idempotency-Key": clock.new_id()}
    answers = [await api.call("POST", f"/{booking_id}/offers", body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert len(await offers(api, booking_id)) == 1
