"""The runbook of payment anomalies, followed to the letter on a running system."""

import json
import re
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

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
        assert intent["id"] in page.stdout
        return table.stdout

    assert "booking cancelled" in await eventually(listed, seconds=30, what="the exception is open")
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
        return "booking cancelled" not in table.stdout and intent["id"] in log.stdout

    await eventually(is_closed, seconds=30, what="the exception is closed after the refund")
