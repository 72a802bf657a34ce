"""Reader of inbound SMS: both envelopes, and what a sender may break."""

import json
from typing import Any

import pytest

from booking.adapters.sms_messages import RECEIVED, read_sms
from chassis.messaging.failures import MalformedMessageError
from contracts.times import parse_time

# After the provider's documentation; numbers and ids are examples.
LEGACY = {
    "id": "EV1",
    "object": "event",
    "apiVersion": "v2",
    "createdAt": "2026-01-23T16:55:52.557Z",
    "type": "message.received",
    "data": {
        "object": {
            "id": "AC1",
            "object": "message",
            "from": "+14155550100",
            "to": "+13105550199",
            "direction": "incoming",
            "body": "YES",
            "media": [],
            "status": "received",
            "createdAt": "2026-01-23T16:55:52.420Z",
        }
    },
}
CURRENT = {
    "id": "EV1",
    "createdAt": "2026-01-23T16:55:52.420Z",
    "type": "message.received",
    "data": {
        "resource": {"id": "AC1", "object": "message", "text": "YES"},
        "context": {"senderIdentifier": "+14155550100", "recipientIdentifiers": ["+13105550199"]},
        "links": {},
    },
}


def read(event: object, event_type: str = RECEIVED) -> Any:
    return read_sms(event_type, json.dumps(event).encode())


def legacy(**members: object) -> dict[str, Any]:
    return {**LEGACY, "data": {"object": {**LEGACY["data"]["object"], **members}}}  # type: ignore[index]


@pytest.mark.parametrize("event", [LEGACY, CURRENT, legacy(to=["+13105550199", "+1"])])
def test_both_envelopes_say_the_same(event: object) -> None:
    sms = read(event)
    assert (sms.sender, sms.recipient, sms.text) == ("+14155550100", "+13105550199", "YES")
    assert (sms.message_id, sms.received_at) == ("AC1", parse_time("2026-01-23T16:55:52.420Z"))


@pytest.mark.parametrize("broken", [None, 5, True, [], {}, [None], ""])
@pytest.mark.parametrize("member", ["id", "from", "to", "body", "createdAt"])
def test_message_with_a_broken_member_is_still_recorded(member: str, broken: object) -> None:
    sms = read(legacy(**{member: broken}))
    assert sms is not None
    unread = {"id": sms.message_id, "from": sms.sender, "to": sms.recipient, "body": sms.text}
    assert member == "createdAt" or not unread[member]


def test_outgoing_messages_and_other_types_are_ignored() -> None:
    assert read(legacy(direction="outgoing")) is None
    assert read(LEGACY, "sms.message.delivered") is None
    assert read(LEGACY, "sms.call.completed") is None


@pytest.mark.parametrize("body", [b"{}", b'{"data": {"object": {}}}', b'{"data": 5}', b'{"text": "yes"}'])
def test_event_in_another_envelope_is_recorded_without_sender_and_text(body: bytes) -> None:
    sms = read_sms(RECEIVED, body)
    assert sms is not None
    assert (sms.sender, sms.text) == ("", "")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        read_sms(RECEIVED, body)
