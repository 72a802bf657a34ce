"""The runbook of payment anomalies, followed to the letter on a running system."""

import json
import re
import shutil
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from booking.domain.payments import Anomaly, NotApplied
from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.audit.following import Operator
from integration.booking.booking_calls import WORKED_TOTAL, BookingApi
from integration.booking.test_stripe_money import stripe_event
from plumbline.doctor.target import SERVICE_URLS

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("psql")), reason="curl or psql is not installed"
)


@pytest.fixture(scope="module")
async def stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, *SERVICE_URLS) as stack:
        yield stack


def refund_of(intent: str, amount: int) -> dict[str, Any]:
    charge: dict[str, Any] = {
        "id": f"ch_{clock.new_id()}",
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": amount,
        "captured": True,
        "currency": "usd",
        "payment_intent": intent,
        "status": "succeeded",
        "metadata": {},
    }
    return {**stripe_event(None), "type": "charge.refunded", "data": {"object": charge}}


# Slow: the page's commands start a process each.
async def test_payment_of_a_cancelled_booking_is_found_and_closes_after_its_refund(
    stack: Stack, infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    api = BookingApi(stack, http)
    booking = await api.create()
    cancelled = await api.call("PATCH", f"/{booking['id']}", {"status": "cancelled", "reason": "ill"})
    assert cancelled.status_code == 200
    paid = stripe_event(booking["id"])
    intent = paid["data"]["object"]
    words = {"PAYMENT": intent["id"], "BOOKING": booking["id"]}
    operator = Operator("payment-anomalies.md", stack, infra, tmp_path, words)
    await stack.deliver.stripe(paid)

    async def listed() -> str:
        table, page = await operator.follow("1. Look")
        assert (table.exit_code, page.exit_code) == (0, 0), table.stderr
        text = " ".join(table.stdout.split())  # a title is continued below itself
        return text if intent["id"] in page.stdout and "booking cancelled" in text else ""

    await eventually(listed, seconds=30, what="the exception is open")
    known = await operator.follow("2. See what booking knows of the payment")
    assert [each.exit_code for each in known] == [0, 0, 0, 0], known
    facts, log, shown, payments = (each.stdout for each in known)
    assert re.search(rf"intent +\| {intent['id']} +\| succeeded +\| +{WORKED_TOTAL} \| USD", facts)
    assert intent["id"] in log
    assert json.loads(shown)["payment_status"] == "unpaid"
    (payment,) = json.loads(payments)["items"]
    assert payment["anomaly"] == "booking_cancelled"
    await stack.deliver.stripe(refund_of(intent["id"], WORKED_TOTAL))

    async def is_closed() -> bool:
        table, log = await operator.follow("4. Check")
        assert (table.exit_code, log.exit_code) == (0, 0)
        return "booking cancelled" not in " ".join(table.stdout.split()) and intent["id"] in log.stdout

    await eventually(is_closed, seconds=30, what="the exception is closed after the refund")


Event = dict[str, Any]


def about(kind: str, subject: dict[str, Any], at: int = 1_790_000_000, **envelope: Any) -> Event:
    return {**stripe_event(None), "type": kind, "created": at, "data": {"object": subject}, **envelope}


def intent(name: str, booking: str | None, amount: int = WORKED_TOTAL) -> dict[str, Any]:
    metadata = {} if booking is None else {"booking_id": booking}
    return {**stripe_event(None, amount=amount)["data"]["object"], "id": name, "metadata": metadata}


def paid(name: str, booking: str | None, **envelope: Any) -> Event:
    return about("payment_intent.succeeded", intent(name, booking), **envelope)


def refund(name: str, number: int, status: str, at: int) -> Event:
    subject = {
        "id": f"re_{number}_{name}",
        "object": "refund",
        "amount": WORKED_TOTAL,
        "currency": "usd",
        "payment_intent": name,
        "created": at,
        "status": status,
    }
    return about("refund.failed" if status == "failed" else "refund.created", subject, at)


def dispute(name: str, status: str, at: int) -> Event:
    subject = {
        "id": f"dp_{name}",
        "object": "dispute",
        "amount": WORKED_TOTAL,
        "currency": "usd",
        "payment_intent": name,
        "status": status,
    }
    return about("charge.dispute.closed", subject, at)


def elsewhere(name: str, booking: str) -> Event:
    subject: dict[str, Any] = {
        "id": name,
        "object": "invoice",
        "amount_paid": WORKED_TOTAL,
        "amount_due": WORKED_TOTAL,
        "currency": "usd",
        "paid_out_of_band": True,
        "metadata": {"booking_id": booking},
    }
    return about("invoice.paid", subject)


def session(name: str, booking: str) -> Event:
    subject: dict[str, Any] = {
        "id": f"cs_{name}",
        "object": "checkout.session",
        "amount_total": WORKED_TOTAL,
        "currency": "usd",
        "client_reference_id": booking,
        "payment_intent": name,
        "payment_status": "paid",
        "metadata": {},
    }
    return about("checkout.session.completed", subject)


def thin(name: str) -> Event:
    return {
        **stripe_event(None),
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "data": None,
        "related_object": {"id": name, "type": "payment_intent", "url": f"/v1/payment_intents/{name}"},
    }


LATER = 1_790_000_100
Deliveries = Callable[[str, str], list[Event]]
# Kind → what makes it, and what the table of "3. Act" says that closes it; nothing where only a person can.
KINDS: dict[str, tuple[Deliveries, Deliveries | None]] = {
    "booking_id_missing": (lambda n, _: [paid(n, None)], lambda n, b: [session(n, b)]),
    "booking_unknown": (
        lambda n, _: [paid(n, clock.new_id())],
        lambda n, _: [refund_of(n, WORKED_TOTAL)],
    ),
    "currency_mismatch": (
        lambda n, b: [about("payment_intent.succeeded", {**intent(n, b), "currency": "eur"})],
        lambda n, _: [_in_euros(refund_of(n, WORKED_TOTAL))],
    ),
    "payment_conflict": (
        lambda n, b: [paid(n, b), about("payment_intent.succeeded", intent(n, b, 100), LATER)],
        None,
    ),
    "paid_out_of_band": (lambda n, b: [elsewhere(n, b)], None),
    "refund_failed": (
        lambda n, b: [paid(n, b), refund(n, 1, "succeeded", LATER), refund(n, 1, "failed", LATER + 1)],
        lambda n, _: [refund(n, 2, "succeeded", LATER + 2)],
    ),
    "dispute_lost": (lambda n, b: [paid(n, b), dispute(n, "lost", LATER)], None),
    "other_mode": (lambda n, b: [paid(n, b, livemode=True)], None),
    "other_account": (lambda n, b: [paid(n, b, account="acct_other")], None),
    "thin_event": (lambda n, _: [thin(n)], None),
}


def _in_euros(event: Event) -> Event:
    event["data"]["object"]["currency"] = "eur"
    return event


def test_every_kind_of_the_page_is_played() -> None:
    assert sorted([*KINDS, "booking_cancelled"]) == sorted([*Anomaly, *NotApplied])


# Slow: the page's commands start a process each.
async def test_exception_of_each_kind_is_listed_and_closes_as_the_page_says(
    stack: Stack, infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    api = BookingApi(stack, http)
    operator = Operator("payment-anomalies.md", stack, infra, tmp_path)
    played = {kind: (f"pi_{kind}", (await api.create())["id"]) for kind in KINDS}
    for kind, (makes, _) in KINDS.items():
        for event in makes(*played[kind]):
            assert (await stack.deliver.stripe(event)).status_code == 200

    async def open_kinds() -> set[str]:
        _, page = await operator.follow("1. Look")
        mine = [item["explanation"] for item in json.loads(page.stdout)["exceptions"]]
        return {item["kind"] for item in mine if item["provider_payment_id"] in _names(played)}

    async def are_open(kinds: set[str]) -> bool:
        found = await open_kinds()
        assert found == kinds
        return True

    await eventually(lambda: are_open(set(KINDS)), seconds=40, what="an exception of each kind is open")
    for kind, (_, closes) in KINDS.items():
        for event in closes(*played[kind]) if closes else ():
            assert (await stack.deliver.stripe(event)).status_code == 200
    left = {kind for kind, (_, closes) in KINDS.items() if closes is None}
    await eventually(lambda: are_open(left), seconds=40, what="what the page says is closed")
    _, log = await operator.follow("4. Check")
    assert all(played[kind][0] in log.stdout for kind in KINDS.keys() - left)


def _names(played: Mapping[str, tuple[str, str]]) -> set[str]:
    return {name for name, _ in played.values()}
