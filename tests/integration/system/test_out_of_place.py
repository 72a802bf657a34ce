"""Whoever may write to one topic speaks for nobody else (ALL-7, issue 14, item 28)."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from chassis import clock
from contracts.metadata import VERIFICATION_HEADER
from contracts.topics import RECONCILIATION_EVENTS, WEBHOOKS_SMS, WEBHOOKS_STRIPE
from harness import Infra, Record, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, changed, created
from integration.booking.booking_calls import BookingApi, payment_record

OUT_OF_PLACE = "message.out-of-place"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "audit") as stack:
        yield stack


async def report_of(audit: AuditApi, topic: str, placed: Record) -> str:
    entry = await audit.entry(event_id=f"{topic}/{placed.partition}/{placed.offset}", source="audit")
    assert (entry["event_type"], entry["status"], entry["booking_id"]) == (OUT_OF_PLACE, "failed", None)
    return entry["error"]


async def test_forged_payment_takes_neither_the_identity_nor_the_key_of_the_true_one(
    own: Stack, http: httpx.AsyncClient
) -> None:
    api, audit = BookingApi(own, http), AuditApi(own, http)
    booking, event_id = await api.create(), f"evt_{clock.new_id()}"
    true = payment_record(booking["id"], event_id=event_id)
    forged = [
        (WEBHOOKS_SMS.name, true),  # the right record on a topic that another may write to
        (WEBHOOKS_STRIPE.name, payment_record(booking["id"], amount=1, event_id=event_id, verification=None)),
        (WEBHOOKS_STRIPE.name, payment_record(booking["id"], event_id=event_id, verification=b"unverified")),
    ]
    for topic, record in forged:
        (placed,) = await own.topic(topic).publish_all([record])
        assert await report_of(audit, topic, placed)

    async def kept() -> bool:
        sql = "SELECT count(*) FROM dead_letter WHERE reason = 'out_of_place' AND key = $1"
        return await own.database("booking").fetchval(sql, booking["id"].encode()) == len(forged)

    await eventually(kept)
    assert (await api.read(booking["id"]))["payment_status"] == "unpaid"
    await api.publish(true)
    assert (await api.when_paid(booking["id"]))["status"] == "confirmed"
    entry = await audit.entry(event_id=event_id)
    assert (entry["source"], entry["topic"], entry["status"]) == ("stripe", WEBHOOKS_STRIPE.name, "success")


@pytest.mark.parametrize("topic", [WEBHOOKS_SMS.name, RECONCILIATION_EVENTS.name])
async def test_forged_transition_takes_no_version_of_a_history(
    own: Stack, http: httpx.AsyncClient, topic: str
) -> None:
    audit, booking_id = AuditApi(own, http), clock.new_id()
    forged = changed(booking_id, 2, "pending", "cancelled")
    marked = Record(forged.value, forged.key, (*forged.headers, (VERIFICATION_HEADER, b"verified")))
    (placed,) = await own.topic(topic).publish_all([marked])
    assert await report_of(audit, topic, placed)
    await audit.recorded(
        "bookings.events.v1", created(booking_id), changed(booking_id, 2, "pending", "confirmed")
    )
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()["history"]
    assert [step["to_status"] for step in history] == ["pending", "confirmed"]
