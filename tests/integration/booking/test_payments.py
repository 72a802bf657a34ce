"""Stripe's events become payments, transitions and anomalies, each once (BK-7, BK-8, BK-10)."""

import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from chassis import clock
from chassis.postgres.advisory_locks import EXTERNAL_OBJECTS
from harness import Infra, Stack, eventually, start_services
from integration.booking.booking_calls import (
    WORKED_TOTAL,
    BookingApi,
    payload,
    payment_record,
    webhook_record,
)

# As another replica does while it applies the first fact about an object.
_OBJECT_OF_ANOTHER_REPLICA = "INSERT INTO money_object (object_id) VALUES ($1)"
_LOCK_OF_ANOTHER_REPLICA = "SELECT pg_advisory_xact_lock($1, hashtext($2))"


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


async def types(api: BookingApi, key: str, count: int) -> list[str | None]:
    return [event.header("ce_type") for event in await api.events(key, count)]


async def test_full_payment_confirms_as_stripe(api: BookingApi) -> None:
    booking = await api.create()
    record = payment_record(booking["id"])
    await api.publish(record)
    paid = await api.when_paid(booking["id"])
    assert (paid["status"], paid["version"]) == ("confirmed", 3)
    assert paid["confirmed_at"] is not None
    entry = (await api.history(booking["id"]))[-1]
    assert (entry["from_status"], entry["to_status"], entry["version"]) == ("pending", "confirmed", 2)
    assert (entry["changed_by"], entry["metadata"]["event_id"]) == ("stripe", record.header("ce_id"))
    (payment,) = await api.payments(booking["id"])
    assert payment["captured"] == {"amount": WORKED_TOTAL, "currency": "USD"}
    assert (payment["refunded"]["amount"], payment["anomaly"]) == (0, None)


async def test_payment_and_confirmation_are_published_in_order_with_their_cause(api: BookingApi) -> None:
    booking = await api.create()
    record = payment_record(booking["id"])
    await api.publish(record)
    events = await api.events(booking["id"], 3)
    assert [event.header("ce_type") for event in events] == [
        "booking.created", "booking.payment-recorded", "booking.status-changed",
    ]  # fmt: skip
    assert [event.header("ce_sequence") for event in events] == ["1", "2", "3"]
    assert {event.header("ce_causationid") for event in events[1:]} == {record.header("ce_id")}
    recorded = payload(events[1])
    assert (recorded["payment_status"], recorded["paid_total"]["amount"]) == ("paid", WORKED_TOTAL)
    assert payload(events[2])["version"] == 2


async def test_same_event_twice_changes_nothing_twice(api: BookingApi) -> None:
    booking = await api.create()
    record = payment_record(booking["id"], amount=5000)
    await api.publish(record, record)
    await api.publish(record)
    await api.settled(booking["id"])
    assert (await api.read(booking["id"]))["version"] == 2
    assert len(await api.payments(booking["id"])) == 1


async def test_same_payment_under_another_event_changes_nothing_twice(api: BookingApi) -> None:
    booking = await api.create()
    records = [payment_record(booking["id"], amount=8000, payment_id=f"pi_{booking['id']}") for _ in range(3)]
    await api.publish(*records)
    await api.settled(booking["id"])
    after = await api.read(booking["id"])
    assert (after["payment_status"], after["version"]) == ("partially_paid", 2)


async def test_same_payment_with_another_amount_is_a_conflict(api: BookingApi) -> None:
    booking = await api.create()
    name = f"pi_{booking['id']}"
    await api.publish(payment_record(booking["id"], amount=5000, payment_id=name))
    await api.publish(payment_record(booking["id"], amount=WORKED_TOTAL, payment_id=name))
    events = await api.events(booking["id"], 3)
    anomaly = payload(events[2])
    assert (anomaly["kind"], anomaly["captured"]["amount"]) == ("payment_conflict", 5000)
    assert "reported first as 50.00 USD, later as 132.00 USD" in anomaly["explanation"]
    after = await api.read(booking["id"])
    assert (after["status"], after["payment_status"]) == ("pending", "partially_paid")
    assert [payment["captured"]["amount"] for payment in await api.payments(booking["id"])] == [5000]


async def test_payment_that_names_two_bookings_is_counted_once(api: BookingApi) -> None:
    one, other = await api.create(), await api.create()
    name = f"pi_{clock.new_id()}"
    await api.publish(*(payment_record(b["id"], payment_id=name, key=b["id"]) for b in (one, other)))

    async def both_seen() -> bool:
        events = await api.stack.topic("bookings.events.v1").records()
        kinds = [payload(event).get("kind") for event in events if name.encode() in (event.value or b"")]
        return "payment_conflict" in kinds

    await eventually(both_seen)
    statuses = [(await api.read(booking["id"]))["status"] for booking in (one, other)]
    assert sorted(statuses) == ["confirmed", "pending"]


async def test_object_that_another_replica_is_writing_holds_up_its_own_payment_only(api: BookingApi) -> None:
    held, other = await api.create(), await api.create()
    name = f"pi_{clock.new_id()}"
    async with api.stack.database("booking").connect("booking") as replica:
        transaction = replica.transaction()
        await transaction.start()
        await replica.execute(_LOCK_OF_ANOTHER_REPLICA, EXTERNAL_OBJECTS, name)
        await replica.execute(_OBJECT_OF_ANOTHER_REPLICA, name)
        await api.publish(payment_record(held["id"], payment_id=name), payment_record(other["id"]))
        await api.when_paid(other["id"])
        assert (await api.read(held["id"]))["payment_status"] == "unpaid"
        await transaction.commit()
    await api.when_paid(held["id"])


async def test_payments_add_up_and_overpayment_shows(api: BookingApi) -> None:
    booking = await api.create()
    await api.publish(payment_record(booking["id"], amount=WORKED_TOTAL - 1))
    assert (await api.when_paid(booking["id"], "partially_paid"))["status"] == "pending"
    await api.publish(payment_record(booking["id"], amount=1))
    assert (await api.when_paid(booking["id"], "paid"))["status"] == "confirmed"
    await api.publish(payment_record(booking["id"], amount=1))
    assert (await api.when_paid(booking["id"], "overpaid"))["status"] == "confirmed"
    assert len(await api.history(booking["id"])) == 2


async def test_late_payment_does_not_turn_a_booking_back(api: BookingApi) -> None:
    booking = await api.brought_to("confirmed", "in_progress", "completed")
    await api.publish(payment_record(booking["id"]))
    assert (await api.when_paid(booking["id"]))["status"] == "completed"
    assert len(await api.history(booking["id"])) == 4


async def test_failure_after_the_success_is_ignored(api: BookingApi) -> None:
    booking = await api.create()
    failed = payment_record(booking["id"], event_type="stripe.payment_intent.payment_failed")
    await api.publish(payment_record(booking["id"]), failed)
    await api.settled(booking["id"])
    after = await api.read(booking["id"])
    assert (after["status"], after["payment_status"], after["version"]) == ("confirmed", "paid", 3)


@pytest.mark.parametrize(
    ("cancelled", "currency", "kind"),
    [(True, "usd", "booking_cancelled"), (False, "eur", "currency_mismatch")],
)
async def test_money_that_does_not_fit_changes_no_status(
    api: BookingApi, *, cancelled: bool, currency: str, kind: str
) -> None:
    booking = await api.brought_to(*["cancelled"] * cancelled)
    await api.publish(payment_record(booking["id"], currency=currency))
    sequence = booking["version"] + 1
    event = (await api.events(booking["id"], sequence))[-1]
    assert (event.header("ce_type"), event.header("ce_sequence")) == (
        "booking.payment-anomaly",
        str(sequence),
    )
    anomaly = payload(event)
    assert (anomaly["kind"], anomaly["booking_id"]) == (kind, booking["id"])
    after = await api.read(booking["id"])
    assert (after["status"], after["payment_status"]) == (booking["status"], "unpaid")
    assert [payment["anomaly"] for payment in await api.payments(booking["id"])] == [kind]


@pytest.mark.parametrize("reference", [pytest.param(clock.new_id(), id="unknown"), "B-17\0\ud800", None])
async def test_money_for_no_booking_is_an_anomaly(api: BookingApi, reference: str | None) -> None:
    name, key = f"pi_{clock.new_id()}", clock.new_id()
    record = payment_record(reference, payment_id=name, key=key)
    await api.publish(record, payment_record(reference, payment_id=name, key=key))
    await api.settled(key)
    stored = None if reference is None else reference.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    (event,) = [e for e in await api.events(stored or name, 1) if name.encode() in (e.value or b"")]
    anomaly = payload(event)
    assert anomaly["booking_id"] == stored
    assert anomaly["kind"] == ("booking_unknown" if reference else "booking_id_missing")
    assert event.header("ce_sequence") is None


async def test_same_event_id_with_another_body_is_reported_once(
    api: BookingApi, http: httpx.AsyncClient
) -> None:
    booking, event_id = await api.create(), f"evt_{clock.new_id()}"
    first = payment_record(booking["id"], amount=5000, event_id=event_id)
    second = payment_record(booking["id"], amount=WORKED_TOTAL, event_id=event_id)
    await api.publish(first, second, second)
    await api.publish(second)
    await api.settled(booking["id"])
    events = await api.events(booking["id"], 3)
    conflicts = [payload(e) for e in events if e.header("ce_type") == "booking.identity-conflict"]
    assert [(c["source"], c["event_id"]) for c in conflicts] == [("/webhooks/stripe", event_id)]
    assert conflicts[0]["first_body_sha256"] != conflicts[0]["second_body_sha256"]
    after = await api.read(booking["id"])
    assert (after["payment_status"], after["status"]) == ("partially_paid", "pending")
    metrics = (await http.get(f"{api.stack.url('booking')}/metrics")).text
    (counted,) = re.findall(r"^booking_identity_conflicts_total (\S+)$", metrics, re.MULTILINE)
    assert float(counted) >= 3


async def set_aside(api: BookingApi, key: str) -> list[Any]:
    rows = await api.stack.database("booking").fetch(
        "SELECT reason, error FROM dead_letter WHERE key = $1 ORDER BY id", key.encode()
    )
    assert rows
    return [(row["reason"], row["error"]) for row in rows]


async def test_unverified_record_moves_nothing(api: BookingApi) -> None:
    booking, event_id = await api.create(), f"evt_{clock.new_id()}"
    await api.publish(
        payment_record(booking["id"], event_id=event_id, key=clock.new_id(), verification=b"unverified")
    )
    await api.publish(payment_record(booking["id"], key="forger", verification=b"unverified"))
    ((reason, error),) = await eventually(lambda: set_aside(api, "forger"))
    assert reason == "out_of_place"
    assert "unverified" in error
    assert (await api.read(booking["id"]))["payment_status"] == "unpaid"
    # It has not taken the identity of the true event either.
    await api.publish(payment_record(booking["id"], event_id=event_id))
    assert (await api.when_paid(booking["id"]))["status"] == "confirmed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff",
        b'{"data": {"object": {"id": "pi_1", "amount_received": "1", "currency": "usd"}}}',
        b'{"data": {"object": {"id": "pi_1", "amount_received": 9223372036854775808, "currency": "usd"}}}',
    ],
    ids=lambda body: body[-40:],
)
async def test_unreadable_payment_is_set_aside_and_the_rest_flows(api: BookingApi, body: bytes) -> None:
    key, booking = clock.new_id(), await api.create()
    await api.publish(webhook_record(body, key=key), payment_record(booking["id"]))
    await api.when_paid(booking["id"])
    assert [reason for reason, _ in await eventually(lambda: set_aside(api, key))] == ["malformed"]


async def test_other_events_and_messages_are_admitted_and_ignored(api: BookingApi) -> None:
    booking, key = await api.create(), clock.new_id()
    half_an_emoji = json.dumps({"text": "yes \ud83d \0"}).encode()
    sms = webhook_record(
        half_an_emoji, key=key, event_type="sms.message.received", source="sms", verification=b"unverified"
    )
    await api.stack.topic("webhooks.sms.v1").publish_all([sms])
    await api.publish(webhook_record(b"{}", key=key, event_type="stripe.price.created"))
    await api.publish(payment_record(booking["id"]))
    assert (await api.when_paid(booking["id"]))["status"] == "confirmed"
    admitted = "SELECT count(*) FROM inbox WHERE event_id = $1"
    await eventually(lambda: api.stack.database("booking").fetchval(admitted, sms.header("ce_id")))
    assert await types(api, booking["id"], 3)
