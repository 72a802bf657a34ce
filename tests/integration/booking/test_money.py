"""Facts about money on the real stack: any order, copies, several topics' keys at once (BK-7, F37)."""

import json
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import permutations
from typing import Any

import httpx
import pytest

from chassis import clock
from harness import Infra, Record, Stack, eventually, start_services
from integration.booking.booking_calls import WORKED_TOTAL, BookingApi, payload, webhook_record

Event = tuple[str, dict[str, Any]]
ORDERS_MAX = 30


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        # Two replicas: events of one payment have different keys and are applied at the same time.
        await stack.start("booking")
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


def intent(n: str, booking: str | None, name: str = "pi") -> dict[str, Any]:
    return {
        "id": f"{name}_{n}",
        "object": "payment_intent",
        "amount_received": WORKED_TOTAL,
        "currency": "usd",
        "latest_charge": f"ch_{name}_{n}",
        "metadata": {} if booking is None else {"booking_id": booking},
        "status": "succeeded",
    }


def charge(n: str, refunded: int, name: str = "pi") -> dict[str, Any]:
    return {
        "id": f"ch_{name}_{n}",
        "object": "charge",
        "amount_captured": WORKED_TOTAL,
        "amount_refunded": refunded,
        "currency": "usd",
        "payment_intent": f"{name}_{n}",
        "metadata": {},
        "status": "succeeded",
        "captured": True,
    }


def refund(n: str, status: str) -> dict[str, Any]:
    return {
        "id": f"re_{n}",
        "object": "refund",
        "amount": WORKED_TOTAL,
        "currency": "usd",
        "charge": f"ch_pi_{n}",
        "status": status,
    }


def dispute(n: str, status: str) -> dict[str, Any]:
    return {
        "id": f"dp_{n}",
        "object": "dispute",
        "amount": WORKED_TOTAL,
        "currency": "usd",
        "charge": f"ch_pi_{n}",
        "status": status,
        "metadata": {},
    }


def session(n: str, booking: str, payment_status: str = "paid") -> dict[str, Any]:
    return {
        "id": f"cs_{n}",
        "object": "checkout.session",
        "amount_total": WORKED_TOTAL,
        "currency": "usd",
        "client_reference_id": booking,
        "payment_intent": f"pi_{n}",
        "payment_status": payment_status,
        "metadata": {},
    }


def checkout_and_refunds(n: str, booking: str) -> list[Event]:
    return [
        ("payment_intent.succeeded", intent(n, None)),
        ("checkout.session.completed", session(n, booking, "unpaid")),
        ("checkout.session.async_payment_succeeded", session(n, booking)),
        ("charge.refunded", charge(n, 1000)),
        ("charge.refunded", charge(n, 1500)),
    ]


def paid_twice(n: str, booking: str) -> list[Event]:
    return [
        ("payment_intent.succeeded", intent(n, booking)),
        ("payment_intent.succeeded", intent(n, booking, "pj")),
        ("charge.refunded", charge(n, WORKED_TOTAL, "pj")),
        ("payment_intent.payment_failed", {**intent(n, booking, "pk"), "status": "requires_payment_method"}),
    ]


def failed_refund_and_won_dispute(n: str, booking: str) -> list[Event]:
    return [
        ("payment_intent.succeeded", intent(n, booking)),
        ("refund.created", refund(n, "pending")),
        ("refund.failed", refund(n, "failed")),
        ("charge.dispute.created", dispute(n, "needs_response")),
        ("charge.dispute.closed", dispute(n, "won")),
    ]


def lost_dispute(n: str, booking: str) -> list[Event]:
    return [
        ("payment_intent.succeeded", intent(n, booking)),
        ("charge.dispute.created", dispute(n, "warning_needs_response")),
        ("charge.dispute.updated", dispute(n, "under_review")),
        ("charge.dispute.closed", dispute(n, "lost")),
    ]


Scenario = tuple[Callable[[str, str], list[Event]], str, set[str]]
SCENARIOS: dict[str, Scenario] = {
    "checkout": (checkout_and_refunds, "partially_refunded", set()),
    "twice": (paid_twice, "paid", set()),
    "failed refund": (failed_refund_and_won_dispute, "paid", {"refund_failed"}),
    "lost": (lost_dispute, "refunded", {"dispute_lost"}),
}


def records_of(events: Sequence[Event], booking: str) -> list[Record]:
    """Return deliveries as the gateway publishes them: keyed by booking if the object names one."""
    records: list[Record] = []
    for type_, subject in events:
        event_id = f"evt_{clock.new_id()}"
        body = {"id": event_id, "type": type_, "created": 1764500000, "data": {"object": subject}}
        key = booking if subject.get("metadata") else subject["id"]
        records.append(
            webhook_record(
                json.dumps(body).encode(), key=key, event_id=event_id, event_type=f"stripe.{type_}"
            )
        )
    return records


@pytest.mark.parametrize("name", SCENARIOS)
async def test_any_order_of_arrival_ends_in_the_same_rows(api: BookingApi, name: str) -> None:
    make, payment_status, anomalies = SCENARIOS[name]
    count = len(make("", ""))
    orders = random.Random(7).sample([*permutations(range(count))], k=min(ORDERS_MAX, 24))
    bookings: list[str] = []
    waves: list[list[Record]] = [[] for _ in range(count + 1)]
    for order in orders:
        booking = (await api.create())["id"]
        bookings.append(booking)
        records = records_of(make(clock.new_id().replace("-", ""), booking), booking)
        for wave, index in zip(waves, [*order, order[0]], strict=True):
            wave.append(records[index])
    for wave in waves:
        await api.publish(*wave)
    database = api.stack.database("booking")
    known = [record.header("ce_id") for wave in waves for record in wave]

    async def applied() -> bool:
        sql = "SELECT count(*) FROM inbox WHERE event_id = ANY($1)"
        return await database.fetchval(sql, known) == len(set(known))

    await eventually(applied)
    outcomes = {json.dumps(await outcome(api, booking)) for booking in bookings}
    assert outcomes == {json.dumps(["confirmed", payment_status, 2, *sorted_rows(outcomes)])}
    open_now = await database.fetch(
        "SELECT DISTINCT kind FROM payment_anomaly"
        " WHERE booking_id = ANY($1::uuid[]) AND resolved_at IS NULL",
        bookings,
    )
    assert {row["kind"] for row in open_now} == anomalies


def sorted_rows(outcomes: set[str]) -> list[Any]:
    """Return the rows of payments of one outcome, to be compared with those of all others."""
    return json.loads(min(outcomes))[3:]


async def outcome(api: BookingApi, booking_id: str) -> list[Any]:
    """Return status, payment status, length of the history, and the amounts of each payment."""
    booking, history = await api.read(booking_id), await api.history(booking_id)
    rows = [
        [
            payment["provider_payment_id"].split("_")[0],
            payment["status"],
            *(
                payment[part]["amount"]
                for part in ("captured", "refunded", "refund_pending", "disputed", "lost")
            ),
            payment["anomaly"],
        ]
        for payment in await api.payments(booking_id)
    ]
    return [booking["status"], booking["payment_status"], len(history), *sorted(rows)]


async def test_session_that_names_the_booking_of_its_intent_closes_the_anomaly(api: BookingApi) -> None:
    booking = await api.create()
    n = clock.new_id().replace("-", "")
    await api.publish(*records_of([("payment_intent.succeeded", intent(n, None))], booking["id"]))
    [opened] = await api.events(f"pi_{n}", 1)
    assert (opened.header("ce_type"), payload(opened)["kind"]) == (
        "booking.payment-anomaly",
        "booking_id_missing",
    )
    await api.publish(*records_of([("checkout.session.completed", session(n, booking["id"]))], booking["id"]))
    paid = await api.when_paid(booking["id"])
    assert paid["status"] == "confirmed"
    [payment] = await api.payments(booking["id"])
    assert (payment["provider_payment_id"], payment["anomaly"]) == (f"pi_{n}", None)
    closed = (await api.events(f"pi_{n}", 2))[1]
    assert closed.header("ce_type") == "booking.payment-anomaly-resolved"
    assert payload(closed)["kind"] == "booking_id_missing"


async def test_money_of_a_cancelled_booking_ends_its_anomaly_when_it_goes_back(api: BookingApi) -> None:
    booking = await api.brought_to("cancelled")
    n = clock.new_id().replace("-", "")
    await api.publish(*records_of([("payment_intent.succeeded", intent(n, booking["id"]))], booking["id"]))
    await api.events(booking["id"], 3)
    await api.publish(*records_of([("charge.refunded", charge(n, WORKED_TOTAL))], booking["id"]))
    events = await api.events(booking["id"], 4)
    assert [event.header("ce_type") for event in events[2:]] == [
        "booking.payment-anomaly",
        "booking.payment-anomaly-resolved",
    ]
    after = await api.read(booking["id"])
    assert (after["status"], after["payment_status"]) == ("cancelled", "unpaid")
