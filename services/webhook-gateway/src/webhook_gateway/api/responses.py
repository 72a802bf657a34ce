"""Responses to a sender: `{"received": true}`, or a problem (RFC 9457) with its `reason`."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

import msgspec
from litestar.types import Message, Send

from chassis.http.problems import PROBLEM_JSON, problem_body, retry_after
from contracts.reasons import RefusalReason
from webhook_gateway.domain.flag_table import Refusal
from webhook_gateway.domain.source import AnswerKind

RECEIVED = b'{"received": true}'
_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'

# The two ASGI messages of a response: start and body.
_Messages = tuple[Message, Message]

DETAILS: dict[RefusalReason, str] = {
    RefusalReason.SIGNATURE_MISSING: "no signature header of this source's schemes: is this the right URL?",
    RefusalReason.SIGNATURE_MALFORMED: "a signature header is missing, repeated or not of its scheme's form",
    RefusalReason.SIGNATURE_MISMATCH: "no secret of ours made this signature: compare them",
    RefusalReason.TIMESTAMP_OUTSIDE_WINDOW: "signed too long ago or in the future: compare clocks",
    RefusalReason.SECRET_NOT_CONFIGURED: "we have no signing secret for this; deliver again",
    RefusalReason.BODY_TOO_LARGE: "the body is larger than this endpoint takes (GATEWAY_BODY_BYTES_MAX)",
    RefusalReason.BODY_NOT_JSON: "the body is not JSON: UTF-8, well-formed, at most 64 levels deep",
    RefusalReason.BODY_INCOMPLETE: "the body did not arrive in time, or in too many pieces; deliver again",
    RefusalReason.EVENT_ID_MISSING: "the body names no event id, which this source's events always have",
    RefusalReason.CONTENT_ENCODING_UNSUPPORTED: "send the body as it was signed, without Content-Encoding",
    RefusalReason.SOURCE_UNKNOWN: "no such source is configured: check the last part of the URL",
    RefusalReason.METHOD_NOT_ALLOWED: "deliveries are sent with POST",
    RefusalReason.BROKER_UNAVAILABLE: "the delivery could not be stored; deliver again",
    RefusalReason.OVERLOADED: "too many deliveries at once; deliver again",
}


def problem_kind(reason: RefusalReason) -> str:
    """Return the last part of the problem's `type`."""
    return reason.value.replace("_", "-")


async def send_received(send: Send, kind: AnswerKind, challenge: str | None = None) -> None:
    """Send 200: the broker has the record. A challenge is sent back to a sender that verifies the URL."""
    if challenge is None:
        await _send(send, _RECEIVED[kind])
    else:
        body = msgspec.json.encode({"challenge": challenge})
        await _send(send, _messages(HTTPStatus.OK, "application/json", body))


async def send_refusal(send: Send, refusal: Refusal, *, close: bool) -> None:
    """Send a problem whose `reason` is from the closed list.

    Args:
        send: of the request.
        refusal: reason and status.
        close: whether unread bytes of this request make the connection unusable for another.
    """
    await _send(send, _refused(refusal, close=close))


# Few combinations exist, so a flood of forgeries encodes none twice.
@cache
def _refused(refusal: Refusal, *, close: bool) -> _Messages:
    body = problem_body(
        refusal.status,
        problem_kind(refusal.reason),
        DETAILS[refusal.reason],
        {"reason": refusal.reason.value},
    )
    headers = retry_after(refusal.status)
    if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = "POST"
    return _messages(refusal.status, PROBLEM_JSON, msgspec.json.encode(body), headers, close=close)


def _messages(
    status: int,
    media_type: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    close: bool = False,
) -> _Messages:
    stated = {"content-type": media_type, "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.encode(), value.encode()) for name, value in stated.items()]
    return (
        {
            "type": "http.response.start",
            "status": status,
            # A tuple tells the server that the response is complete; a list makes it read the headers.
            "headers": [*encoded, (b"connection", b"close")] if close else tuple(encoded),
        },
        {"type": "http.response.body", "body": body, "more_body": False},
    )


async def _send(send: Send, messages: _Messages) -> None:
    for message in messages:
        await send(message)


_RECEIVED = {
    AnswerKind.JSON: _messages(HTTPStatus.OK, "application/json", RECEIVED),
    AnswerKind.EMPTY: _messages(HTTPStatus.OK, "text/plain", b""),
    AnswerKind.TWIML: _messages(HTTPStatus.OK, "text/xml", _TWIML),
}
