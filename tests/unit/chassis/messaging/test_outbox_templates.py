"""Templates of events: what the database fills in is the id and the time, and nothing else (BK-11)."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import clock
from chassis.messaging.message import unpack_headers
from chassis.messaging.outbox import OutgoingEvent, shard_of
from chassis.messaging.outbox_templates import UNKNOWN_TIME, RecordTemplate, to_template
from contracts.bookings import BookingStatusChanged
from contracts.metadata import read_metadata

PAYLOAD = BookingStatusChanged(
    booking_id="b-1",
    version=2,
    from_status="pending",
    to_status="confirmed",
    changed_by="ana",
    reason=None,
    metadata={},
    recorded_at=UNKNOWN_TIME,
)
EVENT = OutgoingEvent(payload=PAYLOAD, key="b-1", source="booking", subject="b-1", sequence=3)


def filled(template: RecordTemplate, event_id: str, time: str) -> tuple[bytes, bytes]:
    """Return value and headers as the statement of `insert_stamped` writes them."""
    number = b64encode(event_id.encode()).decode()
    return template.value.replace("\x1a", time).encode(), template.headers.replace("\x1a", number).encode()


@given(
    reason=st.none()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(['"recorded_at":"0001-01-01T00:00:00Z"', "0001-01-01T00:00:00Z", "\x1a"])
)
def test_filled_template_is_the_event_with_the_row_s_id_and_time(reason: str | None) -> None:
    template = to_template(replace(EVENT, payload=PAYLOAD.model_copy(update={"reason": reason})))
    value, headers = filled(template, "e-1", "2026-11-30T08:00:00.000000Z")
    assert json.loads(value) == {
        **PAYLOAD.model_dump(mode="json"),
        "reason": reason,
        "recorded_at": "2026-11-30T08:00:00.000000Z",
    }
    metadata = read_metadata(unpack_headers(headers))
    assert (metadata.id, metadata.correlation_id, metadata.sequence) == ("e-1", "e-1", 3)
    assert (template.topic, template.key) == ("bookings.events.v1", b"b-1")
    assert template.shard == shard_of(b"b-1")


def test_event_of_a_chain_keeps_the_chain() -> None:
    _, headers = filled(to_template(replace(EVENT, correlation_id="c-0")), "e-1", "")
    assert read_metadata(unpack_headers(headers)).correlation_id == "c-0"


def test_payload_with_a_time_of_its_own_is_no_template() -> None:
    with pytest.raises(ValueError, match="recorded_at"):
        to_template(replace(EVENT, payload=PAYLOAD.model_copy(update={"recorded_at": clock.now()})))
