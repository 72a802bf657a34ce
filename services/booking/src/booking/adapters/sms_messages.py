"""Inbound SMS: reader of the provider's two envelopes (foundations §6), and table `sms_message`.

The legacy envelope has the message in `data.object`. The current envelope has the text in `data.resource` and
the phone numbers in `data.context`. The reader is lenient: every inbound SMS is recorded, also one in another
envelope, as a message without sender and text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from booking.domain.offers import SmsOutcome
from booking.domain.sms import InboundSms
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.inbox import EventIdentity
from chassis.postgres import Connection
from contracts.ids import id_or_digest
from contracts.stripe_events import JsonObject, JsonObjectError, member, read_stripe_event
from contracts.text import sanitize_for_postgres
from contracts.times import TimeError, parse_time

RECEIVED = "sms.message.received"
"""`ce_type` of both envelopes. Other types, such as reports about our own messages, are ignored."""

_INCOMING = ("incoming", "inbound", "")

_INSERT = """
INSERT INTO sms_message (
    source, event_id, message_id, sender, recipient, text, received_at, offer_id, outcome
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[],
    $9::text[]
)
ON CONFLICT (source, event_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class RecordedSms:
    """An SMS to insert: its event, what it did, and the offer that it is about."""

    event: EventIdentity
    sms: InboundSms
    outcome: SmsOutcome
    offer_id: str | None = None


def read_sms(event_type: str, body: bytes) -> InboundSms | None:
    """Return the SMS that an event reports; None for an event of another type and for an outgoing message.

    Raises:
        MalformedMessageError: the body is no JSON object.
    """
    if event_type != RECEIVED:
        return None
    try:
        # The envelope is a JSON object with the same rules for any provider.
        event = read_stripe_event(body).members
    except JsonObjectError as error:
        raise MalformedMessageError(str(error)) from error
    data = member(event, "data")
    message, context = member(data, "object") or member(data, "resource"), member(data, "context")
    if _first(message.get("direction")).casefold() not in _INCOMING:
        return None
    message_id = _first(message.get("id"))
    return InboundSms(
        message_id=id_or_digest(sanitize_for_postgres(message_id)) or None,
        sender=_first(message.get("from"), context.get("senderIdentifier"), message.get("senderIdentifier")),
        recipient=_first(message.get("to"), context.get("recipientIdentifiers")),
        text=_first(message.get("body"), message.get("text")),
        received_at=_time(message, event),
    )


async def insert_sms(connection: Connection, recorded: Sequence[RecordedSms]) -> None:
    """Insert messages. One that was recorded longer ago than the inbox remembers stays as it is."""
    if not recorded:
        return
    messages = [each.sms for each in recorded]
    await connection.execute(
        _INSERT,
        [each.event[0] for each in recorded],
        [each.event[1] for each in recorded],
        [sms.message_id for sms in messages],
        [sanitize_for_postgres(sms.sender) for sms in messages],
        [sanitize_for_postgres(sms.recipient) for sms in messages],
        [sanitize_for_postgres(sms.text) for sms in messages],
        [sms.received_at for sms in messages],
        [each.offer_id for each in recorded],
        [each.outcome.value for each in recorded],
    )


def _first(*values: object) -> str:
    """Return the first text among values; of a list, its first text. Empty without one."""
    for value in values:
        members = cast("list[object]", value) if isinstance(value, list) else [value]
        if members and isinstance(members[0], str) and members[0]:
            return members[0]
    return ""


def _time(message: JsonObject, event: JsonObject) -> datetime | None:
    try:
        return parse_time(_first(message.get("createdAt"), event.get("createdAt")))
    except TimeError:
        return None
