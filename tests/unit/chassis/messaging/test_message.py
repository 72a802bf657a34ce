"""Any record becomes a message that can be stored and classified (GW-12, F33)."""

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message, pack_headers, unpack_headers
from contracts.bookings import BookingCreated, BookingIdentityConflict
from contracts.metadata import MessageMetadata

# A header's name is a string in Kafka's protocol; its value, a key and a value are any bytes.
names = st.text(st.characters(codec="utf-8"))
headers = st.lists(st.tuples(names, st.binary())).map(tuple)


@dataclass
class ClientRecord:
    topic: str = "t1.bookings.events.v1"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 1_700_000_000_500


def message(value: bytes = b"{}", **attributes: bytes) -> Message:
    return Message("t", 0, 0, b"k", value, tuple(attributes.items()))


@given(headers)
def test_any_headers_survive_the_table(given_headers: tuple[tuple[str, bytes], ...]) -> None:
    assert unpack_headers(pack_headers(given_headers)) == given_headers


@given(
    topic=names,
    key=st.none() | st.binary(),
    value=st.none() | st.binary(),
    raw=st.lists(st.tuples(names, st.none() | st.binary())).map(tuple),
)
def test_any_record_becomes_a_message(
    topic: str, key: bytes | None, value: bytes | None, raw: tuple[tuple[str, bytes | None], ...]
) -> None:
    made = Message.from_record(ClientRecord(topic, 3, 7, key, value, raw), topic_prefix="t1.")
    assert (made.partition, made.offset, made.key, made.value) == (3, 7, key or b"", value or b"")
    assert made.headers == tuple((name, content or b"") for name, content in raw)
    assert made.topic == topic.removeprefix("t1.")
    assert made.sent_at == 1_700_000_000.5


def test_record_without_a_timestamp_has_no_sent_at() -> None:
    assert Message.from_record(ClientRecord(timestamp=-1), topic_prefix="").sent_at is None


def test_continued_trace_is_in_metadata() -> None:
    theirs, ours = (f"00-{'ab' * 16}-{digit * 16}-01" for digit in "12")
    made = message(ce_id=b"1", ce_source=b"s", ce_type=b"t", traceparent=theirs.encode())
    assert made.metadata.traceparent == made.traceparent == theirs
    made.continue_trace(ours)
    assert made.metadata.traceparent == made.traceparent == ours
    assert made.sent_traceparent == theirs
    assert message(traceparent=b"\xff").traceparent is None


@given(headers)
def test_any_headers_give_metadata_or_malformed(given_headers: tuple[tuple[str, bytes], ...]) -> None:
    made = Message("t", 0, 0, b"", b"", given_headers)
    with suppress(MalformedMessageError):
        assert isinstance(made.metadata, MessageMetadata)


def test_header_that_is_not_ours_and_not_utf8_does_no_harm() -> None:
    made = message(ce_id=b"1", ce_source=b"s", ce_type=b"t", weird=b"\xff\xfe")
    assert made.metadata.id == "1"


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type"])
def test_missing_identity_is_malformed_and_named(name: str) -> None:
    attributes = {"ce_id": b"1", "ce_source": b"s", "ce_type": b"t"}
    del attributes[name]
    with pytest.raises(MalformedMessageError, match=name):
        _ = message(**attributes).metadata


NEAR_THE_END_OF_TIME = (
    b'{"source":"s","event_id":"1","first_body_sha256":"","second_body_sha256":"",'
    b'"recorded_at":"0001-01-01T00:00:00+14:00"}'
)


@given(st.binary() | st.text().map(str.encode))
@example(b"")
@example(b"null")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'"\\ud800"')
@example(b'{"source":"\\ud800"}')
@example(b"1" * 5_000)
@example(NEAR_THE_END_OF_TIME)
def test_any_bytes_are_a_payload_or_malformed(value: bytes) -> None:
    for model in (BookingIdentityConflict, BookingCreated):
        with pytest.raises(MalformedMessageError) as refused:
            message(value).payload(model)
        assert "\n" not in str(refused.value)


def test_malformed_payload_names_model_and_field_and_not_the_value() -> None:
    value = b'{"source":4711,"event_id":"1","first_body_sha256":"","second_body_sha256":""}'
    with pytest.raises(MalformedMessageError, match="BookingIdentityConflict: source") as refused:
        message(value).payload(BookingIdentityConflict)
    assert "4711" not in str(refused.value)


def test_good_payload_with_an_unknown_field_is_read() -> None:
    value = (
        b'{"source":"s","event_id":"1","first_body_sha256":"a","second_body_sha256":"b",'
        b'"recorded_at":"2026-01-01T00:00:00Z","later_field":1}'
    )
    assert message(value).payload(BookingIdentityConflict).second_body_sha256 == "b"
