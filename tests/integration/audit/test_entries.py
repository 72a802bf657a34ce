"""One entry per event, whatever the record holds (AU-1), and what contradicts the log."""

import base64
import hashlib
import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import httpx
import pytest

from chassis import clock
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from contracts.ids import digest_of
from contracts.topics import TOPICS, webhook_topic
from harness import Infra, Record, Stack, start_services
from integration.audit.audit_records import AuditApi, changed, created, event_on, webhook

STRIPE = "webhooks.stripe.v1"
BOOKINGS = "bookings.events.v1"


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


async def make_topic(infra: Infra, name: str) -> None:
    connection = KafkaConnection(infra.kafka_bootstrap, "", {})
    await apply_topics(connection, [replace(webhook_topic("x"), name=name)])


async def payload_of(stack: Stack, entry_id: int) -> tuple[bytes, bytes, bytes]:
    row = await stack.database("audit").fetchrow(
        "SELECT salt, body, payload_digest FROM event_payload JOIN event_log USING (entry_id)"
        " WHERE entry_id = $1",
        entry_id,
    )
    assert row is not None
    return row["salt"], row["body"], row["payload_digest"]


@pytest.mark.parametrize(
    "topic", [card.name for card in TOPICS if "audit" in card.consumers], ids=lambda name: name
)
async def test_event_of_every_topic_becomes_one_entry(audit: AuditApi, topic: str) -> None:
    record = event_on(topic)
    placed = (await audit.recorded(topic, record))[0]
    entry = await audit.entry(event_id=record.header("ce_id"))
    assert (entry["topic"], entry["partition"], entry["offset"]) == (topic, placed.partition, placed.offset)


async def test_topic_of_a_further_webhook_source_is_consumed_from_its_beginning(
    audit: AuditApi, audit_stack: Stack, infra: Infra
) -> None:
    record = event_on("webhooks.further-source.v1")
    topic = audit_stack.topic("webhooks.further-source.v1")
    await make_topic(infra, topic.name)
    await topic.publish_all([record])
    service = audit_stack.services("audit")[0]
    await service.stop()  # a running one would look for new topics within 30 s
    await service.start()
    entry = await audit.entry(event_id=record.header("ce_id"))
    assert entry["topic"] == "webhooks.further-source.v1"


async def test_entry_has_the_shape_of_the_interface(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    record = webhook(b'{"id": "x"}', subject=booking_id)
    await audit.recorded(STRIPE, record)
    entry = dict(await audit.entry(event_id=record.header("ce_id")))
    assert entry.pop("recorded_at").endswith("Z")
    assert isinstance(entry.pop("entry_id"), int)
    assert isinstance(entry.pop("partition"), int)
    assert isinstance(entry.pop("offset"), int)
    entry.pop("leaf_index")  # none until it is sealed, which takes about a second
    assert entry == {
        "event_type": "stripe.payment_intent.succeeded",
        "status": "success",
        "source": "stripe",
        "event_id": record.header("ce_id"),
        "booking_id": booking_id,
        "actor": None,
        "error": None,
        "metadata": {"verification": "verified", "body_bytes": 11},
        "occurred_at": "2026-11-23T12:30:00.000000Z",
        "topic": STRIPE,
        "correlation_id": None,
        "causation_id": None,
    }


async def test_redelivered_event_adds_nothing(audit: AuditApi) -> None:
    record = webhook(b'{"amount": 1}')
    placed = await audit.recorded(STRIPE, record, record)
    placed += await audit.recorded(STRIPE, record)
    await audit.entry(event_id=record.header("ce_id"))
    assert await audit.entries(event_type="message.identity-conflict", q=record.header("ce_id")) == []
    for each in placed:
        assert await audit.entries(event_id=f"{STRIPE}/{each.partition}/{each.offset}") == [], "set aside"


async def test_known_event_id_with_another_body_is_reported_once_and_both_bodies_are_kept(
    audit: AuditApi, audit_stack: Stack
) -> None:
    first, second = webhook(b'{"amount": 1}'), b'{"amount": 2}'
    event_id = first.header("ce_id")
    again = webhook(second, event_id=event_id)
    await audit.recorded(STRIPE, first, again)
    await audit.recorded(STRIPE, again)

    entry = await audit.entry(event_id=event_id)
    conflict = await audit.entry(event_type="message.identity-conflict", q=event_id)
    assert (conflict["source"], conflict["status"]) == ("audit", "failed")
    assert conflict["metadata"] == {
        "source": "stripe",
        "event_id": event_id,
        "event_type": "stripe.payment_intent.succeeded",
        "first_entry_id": entry["entry_id"],
    }
    assert (await payload_of(audit_stack, entry["entry_id"]))[1] == first.value
    assert (await payload_of(audit_stack, conflict["entry_id"]))[1] == second

    await audit.recorded(STRIPE, webhook(b'{"amount": 3}', event_id=event_id))
    assert len(await audit.entries(event_type="message.identity-conflict", q=event_id)) == 2


async def test_payload_stands_apart_under_a_salted_digest(audit: AuditApi, audit_stack: Stack) -> None:
    secret_word = f"word-{clock.new_id()}"
    record = webhook(json.dumps({"text": secret_word, "from": "+15550001111"}).encode())
    await audit.recorded(STRIPE, record)
    entry = await audit.entry(event_id=record.header("ce_id"))
    salt, body, digest = await payload_of(audit_stack, entry["entry_id"])
    assert (len(salt), body) == (32, record.value)
    assert digest == hashlib.sha256(salt + body).digest()
    stored = await audit_stack.database("audit").fetchval(
        "SELECT event_log::text FROM event_log WHERE entry_id = $1", entry["entry_id"]
    )
    assert secret_word not in stored
    assert "+1555" not in stored
    assert hashlib.sha256(body).hexdigest() not in stored


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((), "ce_id"),
        ((("ce_id", b"\xff\xfe"), ("ce_source", b"booking"), ("ce_type", b"x")), "not UTF-8"),
        ((("ce_id", b"1"), ("ce_source", b"booking"), ("ce_type", b"x"), ("ce_time", b"noon")), "ce_time"),
        ((("ce_id", b"1"), ("ce_source", b"audit"), ("ce_type", b"x")), "claims to come from audit"),
    ],
    ids=["no headers", "not UTF-8", "no time", "not ours"],
)
async def test_record_that_is_no_event_becomes_an_entry_that_keeps_it_whole(
    audit: AuditApi, audit_stack: Stack, headers: tuple[tuple[str, bytes], ...], why: str
) -> None:
    record = Record(b"\0\xffsome bytes", clock.new_id().encode(), headers)
    placed = (await audit.recorded(BOOKINGS, record))[0]
    entry = await audit.entry(event_id=f"{BOOKINGS}/{placed.partition}/{placed.offset}")
    assert (entry["event_type"], entry["source"], entry["status"]) == (
        "message.unreadable",
        "audit",
        "failed",
    )
    assert why in entry["error"]
    kept = json.loads((await payload_of(audit_stack, entry["entry_id"]))[1])
    assert base64.b64decode(kept["value"]) == record.value
    assert base64.b64decode(kept["key"]) == record.key
    assert [(name, base64.b64decode(value)) for name, value in kept["headers"]] == list(headers)


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\0", b"\xff" * 100, b'{"text": "\\u0000 \\ud83d"}', b"x" * 1_000_000, b"[" * 50_000],
    ids=["null", "empty", "NUL", "not UTF-8", "surrogate", "a megabyte", "deep"],
)
@pytest.mark.parametrize("event_type", [None, "booking.status-changed"], ids=["webhook", "booking event"])
async def test_body_of_any_bytes_is_recorded_and_kept_as_it_came(
    audit: AuditApi, audit_stack: Stack, value: bytes | None, event_type: str | None
) -> None:
    record = webhook(b"")
    headers = dict(record.headers)
    if event_type:
        headers |= {"ce_type": event_type.encode(), "ce_source": b"booking"}
    topic = BOOKINGS if event_type else STRIPE
    await audit.recorded(topic, Record(value, record.key, tuple(headers.items())))
    entry = await audit.entry(event_id=record.header("ce_id"))
    assert entry["status"] == ("failed" if event_type else "success")
    assert (await payload_of(audit_stack, entry["entry_id"]))[1] == (value or b"")


async def test_half_an_emoji_and_nul_in_mapped_text_are_recorded(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    record = changed(booking_id, 1, "pending", "confirmed")
    payload = json.loads(record.value or b"") | {"changed_by": "sms:\ud83d\0", "reason": "\ud83d \0"}
    broken = Record(json.dumps(payload).encode(), record.key, record.headers)
    await audit.recorded(BOOKINGS, broken)
    actor = (await audit.entry(event_id=record.header("ce_id")))["actor"]
    assert actor == digest_of("sms:\ufffd\ufffd")
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()["history"]
    assert history[0]["reason"] == "\ufffd \ufffd"


async def test_nul_in_identifiers_is_recorded_and_found_again(audit: AuditApi) -> None:
    event_id = f"evt\0{clock.new_id()}"
    record = webhook(b"{}", event_id=event_id, subject="obj\0", key=b"k")
    await audit.recorded(STRIPE, record, record)
    cleaned = event_id.replace("\0", "\ufffd")
    assert (await audit.entry(event_id=cleaned))["event_id"] == digest_of(cleaned)


async def test_what_a_person_typed_as_an_id_stands_in_the_payload_alone(
    audit: AuditApi, audit_stack: Stack
) -> None:
    text = f"+1 312 555 0100 Jane Roe {clock.new_id()}"
    record = webhook(b"{}", event_id=text, subject=text, key=b"k")
    await audit.recorded(STRIPE, record, record)
    entry = await audit.entry(event_id=text)
    assert entry == await audit.entry(event_id=digest_of(text))
    database = audit_stack.database("audit")
    row = await database.fetchval(
        "SELECT event_log::text FROM event_log WHERE entry_id = $1", entry["entry_id"]
    )
    assert "Jane" not in row + json.dumps(entry)
    payload = "SELECT subject, texts FROM event_payload WHERE entry_id = $1"
    kept = await database.fetchrow(payload, entry["entry_id"])
    assert kept is not None
    assert (kept["subject"], json.loads(kept["texts"])) == (text, {"event_id": text})
    async with database.connect() as connection:
        await connection.execute("SET ROLE audit_eraser")
        assert (
            await connection.execute("DELETE FROM audit.event_payload WHERE subject = $1", text) == "DELETE 1"
        )


async def test_history_is_told_in_order_with_who_and_why(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    await audit.recorded(
        BOOKINGS,
        created(booking_id),
        changed(booking_id, 2, "pending", "confirmed", reason="paid"),
        changed(booking_id, 3, "confirmed", "completed"),
    )
    answer = (await audit.get(f"/api/bookings/{booking_id.upper()}/history")).json()
    assert answer["booking_id"] == booking_id
    assert "missing_versions" not in answer
    transitions = [
        (t["version"], t["from_status"], t["to_status"], t["changed_by"]) for t in answer["history"]
    ]
    assert transitions == [
        (1, None, "pending", "system"),
        (2, "pending", "confirmed", "stripe"),
        (3, "confirmed", "completed", "stripe"),
    ]
    second = answer["history"][1]
    assert (second["reason"], second["metadata"]) == ("paid", {"payment_id": "pi_1"})
    assert second["recorded_at"] == "2026-11-23T12:30:00.000000Z"


async def test_gap_waits_for_its_missing_version_and_heals(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    late = changed(booking_id, 2, "pending", "confirmed")
    await audit.recorded(BOOKINGS, created(booking_id), changed(booking_id, 3, "confirmed", "completed"))
    waiting = (await audit.get(f"/api/bookings/{booking_id}/history")).json()
    assert [transition["version"] for transition in waiting["history"]] == [1]
    assert waiting["missing_versions"] == [2]

    await audit.recorded(BOOKINGS, late)
    healed = (await audit.get(f"/api/bookings/{booking_id}/history")).json()
    assert [transition["version"] for transition in healed["history"]] == [1, 2, 3]
    assert "missing_versions" not in healed


async def test_version_told_differently_is_reported_and_changes_nothing(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    same, other = (
        changed(booking_id, 2, "pending", "confirmed"),
        changed(booking_id, 2, "pending", "cancelled"),
    )
    repeated = changed(booking_id, 2, "pending", "confirmed")
    await audit.recorded(BOOKINGS, created(booking_id), same, repeated, other)
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()["history"]
    assert [transition["to_status"] for transition in history] == ["pending", "confirmed"]
    conflict = await audit.entry(event_type="status-history.conflict", booking_id=booking_id)
    assert conflict["causation_id"] == other.header("ce_id")
    assert conflict["metadata"]["version"] == 2
    assert conflict["metadata"]["first_entry_id"] == history[1]["entry_id"]


async def test_version_with_another_reason_is_a_contradiction_too(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    await audit.recorded(
        BOOKINGS,
        changed(booking_id, 1, "pending", "confirmed", reason="paid"),
        changed(booking_id, 1, "pending", "confirmed", reason="never paid"),
    )
    await audit.entry(event_type="status-history.conflict", booking_id=booking_id)


async def test_erased_payload_leaves_the_entry_and_contradicts_nothing(
    audit: AuditApi, audit_stack: Stack
) -> None:
    booking_id = clock.new_id()
    first = changed(booking_id, 1, "pending", "confirmed", reason="Anna paid")
    again = changed(booking_id, 1, "pending", "confirmed", reason="Anna paid")
    await audit.recorded(BOOKINGS, first)
    entry = await audit.entry(event_id=first.header("ce_id"))
    await audit_stack.database("audit").execute(
        f"ALTER TABLE event_payload DISABLE TRIGGER USER;"
        f"DELETE FROM event_payload WHERE entry_id = {entry['entry_id']};"
        f"ALTER TABLE event_payload ENABLE ALWAYS TRIGGER event_payload_rows;"
        f"ALTER TABLE event_payload ENABLE ALWAYS TRIGGER event_payload_statements"
    )

    await audit.recorded(BOOKINGS, first, again, webhook(b"other", event_id=first.header("ce_id"), key=b"k"))
    assert await audit.entries(booking_id=booking_id, status="failed") == []
    history = (await audit.get(f"/api/bookings/{booking_id}/history")).json()["history"]
    assert [(each["to_status"], each["reason"], each["metadata"]) for each in history] == [
        ("confirmed", None, {})
    ]


async def test_history_of_a_booking_nobody_heard_of_is_404(audit: AuditApi) -> None:
    response = await audit.get(f"/api/bookings/{clock.new_id()}/history")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:plumbline:problem:not-found"
