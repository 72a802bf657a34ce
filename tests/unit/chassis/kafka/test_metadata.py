"""CloudEvents metadata in Kafka headers: what goes in comes out, and nothing odd breaks the reader."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.metadata import MessageMetadata, MetadataError, format_time, read_metadata

texts = st.text(st.characters(codec="utf-8"))
filled = st.text(st.characters(codec="utf-8"), min_size=1)
moments = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - as above
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
metadata = st.builds(
    MessageMetadata,
    id=filled,
    source=filled,
    type=filled,
    time=st.none() | moments,
    subject=st.none() | texts,
    sequence=st.none() | st.integers(0, 10**18 - 1),
    correlation_id=st.none() | texts,
    causation_id=st.none() | texts,
    traceparent=st.none() | texts,
    content_type=filled,
)
ATTRIBUTES = (
    "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_sequence", "ce_correlationid",
    "ce_causationid", "traceparent", "content-type", "ce_specversion",
)  # fmt: skip


@given(metadata)
def test_written_metadata_is_read_back(written: MessageMetadata) -> None:
    assert read_metadata(written.to_headers()) == written


@given(st.lists(st.tuples(st.sampled_from(ATTRIBUTES), st.none() | st.binary() | texts.map(str.encode))))
def test_any_header_bytes_are_read_or_refused(raw: list[tuple[str, bytes | None]]) -> None:
    identity = [("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t")]
    for headers in (raw, [*identity, *raw]):
        with suppress(MetadataError):
            assert isinstance(read_metadata(headers), MessageMetadata)


@pytest.mark.parametrize("sequence", [b"-1", b"1.5", b"", b"1_0", b"9" * 19, "\u0661".encode()])
def test_sequence_that_is_no_bigint_is_refused(sequence: bytes) -> None:
    headers = [("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t"), ("ce_sequence", sequence)]
    with pytest.raises(MetadataError, match="ce_sequence"):
        read_metadata(headers)


def test_repeated_header_the_last_counts() -> None:
    headers = [("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t"), ("ce_id", b"2")]
    assert read_metadata(headers).id == "2"


def test_time_is_written_in_utc_with_z() -> None:
    moment = datetime(2026, 3, 8, 2, 0, tzinfo=timezone(timedelta(hours=-6)))
    assert format_time(moment) == "2026-03-08T08:00:00.000000Z"
    assert format_time(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"
