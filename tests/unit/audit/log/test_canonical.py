"""Canonical form of an entry: frozen, because every proof depends on it."""

import json
from datetime import UTC, datetime, timedelta, timezone

from audit.domain.log.canonical import StoredEntry, sealed_form

ENTRY = StoredEntry(
    entry_id=7,
    recorded_at=datetime(2026, 11, 30, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=1))),
    occurred_at=datetime(2026, 11, 30, 10, 59, 59, tzinfo=UTC),
    event_type="booking.status-changed",
    status="success",
    source="booking",
    event_id='b-1 "\\ü\u2028\t',
    booking_id="b-1",
    actor=None,
    error=None,
    metadata='{"version":2, "to_status":"confirmed"}',
    topic="bookings.events.v1",
    partition=3,
    offset=12,
    correlation_id=None,
    causation_id=None,
    payload_digest=bytes(range(32)),
)
FORM = (
    '{"v":1,"entry_id":7,"recorded_at":"2026-11-30T11:00:00.000005Z","occurred_at":"2026-11-30T10:59:59Z",'
    '"event_type":"booking.status-changed","status":"success","source":"booking",'
    '"event_id":"b-1 \\"\\\\ü\u2028\\t","booking_id":"b-1","actor":null,"error":null,'
    '"metadata":{"version":2, "to_status":"confirmed"},"topic":"bookings.events.v1",'
    '"partition":3,"offset":12,'
    '"correlation_id":null,"causation_id":null,'
    '"payload_digest":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}'
)


def test_form_is_frozen() -> None:
    assert sealed_form(ENTRY).decode() == FORM


def test_form_begins_with_its_version_and_is_json() -> None:
    assert sealed_form(ENTRY).startswith(b'{"v":1,')
    assert json.loads(sealed_form(ENTRY))["entry_id"] == ENTRY.entry_id
