"""Outbox records: the shard of a key never changes, and headers name source, type and cause (BK-12)."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import clock
from chassis.messaging.outbox import SHARDS, OutgoingEvent, caused_by, shard_of, to_record
from chassis.observability import trace_context
from contracts.bookings import BookingIdentityConflict
from contracts.metadata import MessageMetadata, read_metadata

PAYLOAD = BookingIdentityConflict(
    source="/webhooks/stripe",
    event_id="evt_1",
    first_body_sha256="a",
    second_body_sha256="b",
    recorded_at=clock.now(),
)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EVENT = OutgoingEvent(payload=PAYLOAD, key="b-1", source="booking")


# Rows wait in the shard that an older release computed: these numbers may never change.
@pytest.mark.parametrize(
    ("key", "shard"),
    [
        (b"", 0),
        (b"booking-1", 2),
        (b"0199f0a3-7c1e-7d3a-8f52-000000000001", 2),
        (b"\xff\x00", 13),
        ("größe".encode(), 9),
    ],
)
def test_shard_of_a_key_is_fixed_for_ever(key: bytes, shard: int) -> None:
    assert shard_of(key) == shard


@given(st.binary())
def test_any_key_has_a_shard(key: bytes) -> None:
    assert 0 <= shard_of(key) < SHARDS == 16


def test_keys_spread_over_all_shards() -> None:
    counts = Counter(shard_of(clock.new_id().encode()) for _ in range(3_200))
    assert len(counts) == SHARDS
    assert max(counts.values()) < 400


def test_record_goes_where_the_catalogue_says_under_the_payloads_type() -> None:
    record = to_record(replace(EVENT, subject="b-1", sequence=7, event_id="e-1"))
    metadata = read_metadata(record.headers)
    assert (record.topic, record.key) == ("bookings.events.v1", b"b-1")
    assert BookingIdentityConflict.model_validate_json(record.value) == PAYLOAD
    assert (metadata.id, metadata.source, metadata.type) == ("e-1", "booking", "booking.identity-conflict")
    assert (metadata.subject, metadata.sequence) == ("b-1", 7)
    assert metadata.time is not None
    assert dict(record.headers)["ce_specversion"] == b"1.0"


def test_event_without_an_id_gets_a_new_one_and_starts_a_chain() -> None:
    first, second = read_metadata(to_record(EVENT).headers), read_metadata(to_record(EVENT).headers)
    assert first.id != second.id
    assert (first.correlation_id, first.causation_id) == (first.id, None)


@pytest.mark.parametrize(("chain", "expected"), [(None, "cause-1"), ("chain-0", "chain-0")])
def test_caused_event_names_its_cause_and_keeps_the_chain(chain: str | None, expected: str) -> None:
    cause = MessageMetadata("cause-1", "s", "t", correlation_id=chain, traceparent=TRACEPARENT)
    metadata = read_metadata(to_record(caused_by(EVENT, cause)).headers)
    assert (metadata.correlation_id, metadata.causation_id) == (expected, "cause-1")
    assert metadata.traceparent == TRACEPARENT


@pytest.mark.parametrize("given", [None, "", "00-a-b-01", TRACEPARENT.upper()])
def test_event_without_a_sound_trace_continues_the_request_in_hand_or_begins_one(given: str | None) -> None:
    event = replace(EVENT, traceparent=given)
    with trace_context.Carried(TRACEPARENT):
        assert read_metadata(to_record(event).headers).traceparent == TRACEPARENT
    begun = read_metadata(to_record(event).headers).traceparent
    assert trace_context.checked(begun) == begun != TRACEPARENT
