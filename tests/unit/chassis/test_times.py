"""A time is RFC 3339 text, wherever one is read (GW-12a)."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from contracts.metadata import MetadataError, read_metadata
from contracts.reconciliation import RunFailed
from contracts.times import EXAMPLE, TimeError, parse_time, read_time
from contracts.wire import UtcDatetime

NO_TIMES = (
    "1796140800", "1796140800.5", "2026", "20260101", "20260101T000000Z", "2026-W01-1", "2026-001",
    "2026-01-01", "2026-01-01T10:00Z", "2026-01-01T10:00:00", "2026-01-01T10:00:00 02:00",
    "2026-01-01T24:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T10:00:00+0200", "2026-01-01T10:00:00,5Z",
    " 2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z\n", "\u0662026-01-01T10:00:00Z", "", "now",
)  # fmt: skip
moments = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - as above
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(moments)
def test_every_time_that_is_written_is_read_back(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == moment
    assert parse_time(moment.isoformat()).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2026-03-08T15:00:00z", "2026-03-08t15:00:00Z", "2026-03-08T15:00:00.000000000Z", EXAMPLE]
)
def test_every_spelling_of_rfc_3339_is_read(text: str) -> None:
    assert parse_time(text) == datetime(2026, 3, 8, 15, tzinfo=UTC)


@pytest.mark.parametrize("text", NO_TIMES)
def test_text_that_is_no_time_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(TimeError, match=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"):
        parse_time(text)
    with pytest.raises(ValidationError):
        TypeAdapter(UtcDatetime).validate_json(f'"{text!r}"')
    headers = [("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t"), ("ce_time", text.encode())]
    with pytest.raises(MetadataError, match="ce_time"):
        read_metadata(headers)


@given(st.text())
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with suppress(TimeError):
        assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize("value", [1796140800, 1796140800.5, True, None, [], datetime(2026, 1, 1)])  # noqa: DTZ001 - it has none
def test_value_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(TimeError):
        read_time(value)


@pytest.mark.parametrize("value", [b"1796140800", b'"1796140800"', b'"2026-01-01T00:00:00"'])
def test_message_with_a_number_for_a_time_cannot_be_decoded(value: bytes) -> None:
    body = b'{"run_id": "r", "error": "e", "finished_at": %b}' % value
    with pytest.raises(MalformedMessageError, match="RunFailed: finished_at: "):
        Message("t", 0, 0, b"", body, ()).payload(RunFailed)


def test_offset_that_lost_its_plus_in_a_url_is_told_how_to_write_it() -> None:
    with pytest.raises(TimeError, match="written %2B in a URL: 2026-01-01T00:00:00%2B06:00"):
        parse_time("2026-01-01T00:00:00 06:00")
