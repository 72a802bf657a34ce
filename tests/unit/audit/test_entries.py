import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from audit.domain.entries import entry_of, history_conflict, identity_conflict, unreadable_entry
from audit.domain.events import Event, Origin
from audit.domain.identifiers import booking_identifier
from contracts.bookings import BookingStatusChanged
from contracts.money import Money
from contracts.reconciliation import DriftDetected

BOOKING_ID = "0199a000-0000-7000-8000-000000000001"
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORIGIN = Origin("bookings.events.v1", 3, 42)

CHANGED = BookingStatusChanged(
    booking_id=BOOKING_ID,
    version=2,
    from_status="pending",
    to_status="confirmed",
    changed_by="stripe",
    reason="Anna called from +15550001111",
    metadata={"payment_id": "pi_1"},
    recorded_at=AT,
)


def event(**changes: Any) -> Event:
    given = Event(
        id="evt_1",
        source="booking",
        type="booking.status-changed",
        time=AT,
        subject=BOOKING_ID,
        sequence=3,
        correlation_id="evt_0",
        causation_id="evt_0",
        verification=None,
        body=CHANGED.to_bytes(),
    )
    return replace(given, **changes)


def webhook(**changes: Any) -> Event:
    return event(
        **{
            "source": "/webhooks/stripe",
            "type": "stripe.payment_intent.succeeded",
            "sequence": None,
            "verification": "verified",
            "body": b'{"id": "evt_1"}',
            **changes,
        }
    )


def test_status_change_tells_who_and_what_and_keeps_the_reason_out() -> None:
    entry = entry_of(event(), ORIGIN)
    assert (entry.event_type, entry.status, entry.source) == ("booking.status-changed", "success", "booking")
    assert (entry.booking_id, entry.actor, entry.error) == (BOOKING_ID, "stripe", None)
    assert (entry.correlation_id, entry.causation_id, entry.occurred_at) == ("evt_0", "evt_0", AT)
    assert entry.metadata == {
        "version": 2,
        "from_status": "pending",
        "to_status": "confirmed",
        "sequence": 3,
        "body_bytes": len(CHANGED.to_bytes()),
    }
    assert entry.subject == BOOKING_ID


def test_webhook_is_named_by_its_source_and_is_not_read() -> None:
    entry = entry_of(webhook(body=b"\xff not even JSON"), ORIGIN)
    assert (entry.source, entry.event_type) == ("stripe", "stripe.payment_intent.succeeded")
    assert entry.status == "success"
    assert entry.metadata == {"verification": "verified", "body_bytes": 15}


def test_webhook_for_an_object_names_no_booking() -> None:
    entry = entry_of(webhook(subject="pi_123"), ORIGIN)
    assert (entry.booking_id, entry.subject) == (None, "pi_123")


def test_webhook_spelling_a_booking_in_capitals_is_found_with_the_others() -> None:
    assert entry_of(webhook(subject=BOOKING_ID.upper()), ORIGIN).booking_id == BOOKING_ID


@pytest.mark.parametrize("name", ["booking", "audit", "reconciler", "webhook-gateway"])
def test_webhook_source_named_like_a_service_stays_apart_from_it(name: str) -> None:
    assert entry_of(webhook(source=f"/webhooks/{name}"), ORIGIN).source == f"/webhooks/{name}"


def test_webhook_that_calls_itself_a_booking_event_writes_no_history() -> None:
    entry = entry_of(
        webhook(source="/webhooks/booking", type="booking.status-changed", body=CHANGED.to_bytes()), ORIGIN
    )
    assert entry.transition is None
    assert entry.actor is None


def test_drift_is_told_in_money() -> None:
    drift = DriftDetected(
        run_id="run-1",
        booking_id=BOOKING_ID,
        drift_class="snapshot_corrupt",
        severity="high",
        drift=Money(-2500, "USD"),
        charge_difference=None,
        snapshot=Money(10500, "USD"),
        recomputed=Money(8000, "USD"),
        charged=None,
        lines=[],
        detected_at=AT,
    )
    entry = entry_of(
        event(
            source="reconciler", type="reconciliation.drift-detected", subject="run-1", body=drift.to_bytes()
        ),
        ORIGIN,
    )
    assert (entry.status, entry.error, entry.booking_id) == ("failed", "snapshot_corrupt", BOOKING_ID)
    assert entry.metadata["drift"] == {"amount": -2500, "currency": "USD"}
    assert "charged" not in entry.metadata


def test_run_id_is_not_taken_for_a_booking() -> None:
    unknown = event(source="reconciler", type="reconciliation.something-new", body=b"{}")
    assert entry_of(unknown, ORIGIN).booking_id is None


def test_unknown_type_of_booking_is_recorded_under_its_subject() -> None:
    entry = entry_of(event(type="booking.something-new", body=b"any bytes"), ORIGIN)
    assert (entry.status, entry.booking_id) == ("success", BOOKING_ID)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'{"version": NaN}',
        b"[" * 100_000,
        b'{"version": 1' + b"0" * 5000 + b"}",
    ],
)
def test_payload_that_breaks_its_contract_is_a_failed_entry(body: bytes) -> None:
    entry = entry_of(event(body=body), ORIGIN)
    assert entry.status == "failed"
    assert entry.error
    assert entry.error.startswith("the payload")
    assert entry.transition is None
    assert entry.body == body


def test_half_an_emoji_and_nul_harm_neither_an_id_nor_a_text() -> None:
    payload = json.loads(CHANGED.to_bytes())
    payload |= {"changed_by": "sms:\ud83d\0", "reason": "\ud83d\ude00 ok \ud83d"}
    entry = entry_of(event(body=json.dumps(payload).encode()), ORIGIN)
    assert entry.actor is not None
    assert entry.actor.startswith("sha256:")
    assert entry.transition is not None
    assert entry.transition.reason == "\U0001f600 ok \ufffd"


@pytest.mark.parametrize(
    "text",
    ["+1 312 555 0100", "3125550100", "sms:13125550100", "Jane Roe", "jane@example.com", "\U0001f436"],
)
def test_text_that_has_no_form_of_an_id_stands_in_the_payload_alone(text: str) -> None:
    payload = {**json.loads(CHANGED.to_bytes()), "booking_id": text, "changed_by": text, "from_status": text}
    entry = entry_of(
        event(id=text, type=text, correlation_id=text, causation_id=text, subject=text, body=b"{}"), ORIGIN
    )
    second = entry_of(event(body=json.dumps(payload).encode()), ORIGIN)
    for each in (entry, second):
        kept = replace(each, body=b"", texts={}, subject=None)
        assert text not in repr(kept if each is entry else replace(kept, transition=None)), kept
    assert second.transition is not None
    assert text not in {
        second.transition.booking_id,
        second.transition.changed_by,
        second.transition.from_status,
    }
    assert entry.texts == dict.fromkeys(("event_id", "event_type", "correlation_id", "causation_id"), text)
    assert entry.subject == text, "an erasure finds it by this"


def test_anomaly_of_a_booking_that_is_none_names_it_by_a_digest_that_a_filter_finds() -> None:
    text = "+1 312 555 0100 Jane Roe"
    body = json.dumps({"booking_id": text, "kind": "booking_unknown", "provider_payment_id": "Jane Roe"})
    entry = entry_of(
        event(type="booking.payment-anomaly", subject=text, sequence=None, body=body.encode()), ORIGIN
    )
    assert entry.booking_id is not None
    assert entry.booking_id == booking_identifier(text) == booking_identifier(entry.booking_id)
    assert "Jane" not in repr(replace(entry, body=b"", texts={}, subject=None))
    assert entry.subject == text


def test_identifier_longer_than_an_index_takes_is_replaced_by_its_digest() -> None:
    first, second = (entry_of(event(id="x" * 3000 + end), ORIGIN) for end in "ab")
    assert first.event_id.startswith("sha256-")
    assert len(first.event_id) < 100
    assert first.event_id != second.event_id


def test_time_that_utc_cannot_express_is_left_out() -> None:
    edge = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert entry_of(event(time=edge), ORIGIN).occurred_at is None


def test_unreadable_record_is_kept_whole_under_its_place() -> None:
    entry = unreadable_entry(
        ORIGIN, error="header ce_id is missing", key=b"\xff", value=b"\0body", headers=[("ce_type", b"\xfe")]
    )
    assert (entry.event_type, entry.status, entry.source) == ("message.unreadable", "failed", "audit")
    assert entry.event_id == "bookings.events.v1/3/42"
    assert json.loads(entry.body) == {"key": "/w==", "headers": [["ce_type", "/g=="]], "value": "AGJvZHk="}


def test_conflicts_are_entries_of_their_own_that_name_both_sides() -> None:
    second = entry_of(event(), ORIGIN)
    conflict = identity_conflict(second, first_entry_id=7, body_digest=b"\x01" * 32)
    assert (conflict.event_type, conflict.identity) == ("message.identity-conflict", ("audit", "01" * 32))
    assert conflict.metadata == {
        "source": "booking",
        "event_id": "evt_1",
        "event_type": "booking.status-changed",
        "first_entry_id": 7,
    }
    assert (conflict.booking_id, conflict.causation_id, conflict.body) == (BOOKING_ID, "evt_1", second.body)
    dispute = history_conflict(second, version=2, first_entry_id=7)
    assert dispute.event_type == "status-history.conflict"
    assert dispute.identity == ("audit", "status-history.conflict/booking/evt_1")
    assert (conflict.transition, dispute.transition) == (None, None)
