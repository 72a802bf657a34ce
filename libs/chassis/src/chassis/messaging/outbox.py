"""The outbox: facts leave in the transaction that made them true (design rules 2 and 3).

`append` opens, flushes and commits nothing. `chassis.relay` publishes the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from chassis import clock
from chassis.kafka.producer import OutgoingRecord
from chassis.messaging.failures import require_written
from chassis.messaging.message import pack_headers
from chassis.observability import trace_context
from chassis.postgres.database import Connection
from contracts.catalogue import CARD_BY_MODEL
from contracts.metadata import MessageMetadata
from contracts.wire import WireModel

SHARDS = 16
"""Fixed for ever: a key's shard must not change while rows of it wait."""

_APPEND = """
INSERT INTO outbox (shard, topic, key, value, headers)
SELECT shard, topic, key, value, headers
FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])
    WITH ORDINALITY AS row (shard, topic, key, value, headers, position)
ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event to be sent: payload, key, and what its metadata say beyond the payload's type.

    Attributes:
        payload: its model decides event type and topic (`contracts.catalogue`).
        key: records of one key keep their order.
        source: the service's name.
        subject: the id of the thing it happened to.
        sequence: version of the subject after the event; None where nothing is counted.
        correlation_id, causation_id: from the message that caused it.
        traceparent: W3C trace context to continue; None, or one that is not well-formed, continues the
            request in hand, or else begins a trace.
        event_id: None lets a new one be made.
    """

    payload: WireModel
    key: str
    source: str
    subject: str | None = None
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    event_id: str | None = None


def caused_by(event: OutgoingEvent, cause: MessageMetadata) -> OutgoingEvent:
    """The same event, naming the message that caused it."""
    return replace(
        event,
        correlation_id=cause.correlation_id or cause.id,
        causation_id=cause.id,
        traceparent=cause.traceparent,
    )


def to_record(event: OutgoingEvent) -> OutgoingRecord:
    """The Kafka record of an event; its time is now, its id new unless given."""
    card = CARD_BY_MODEL[type(event.payload)]
    event_id = event.event_id or clock.new_id()
    metadata = MessageMetadata(
        id=event_id,
        source=event.source,
        type=card.event_type,
        time=clock.now(),
        subject=event.subject,
        sequence=event.sequence,
        correlation_id=event.correlation_id or event_id,
        causation_id=event.causation_id,
        traceparent=trace_context.checked(event.traceparent)
        or trace_context.current()
        or trace_context.new(),
    )
    return OutgoingRecord(
        card.topic.name, event.key.encode(), event.payload.to_bytes(), metadata.to_headers()
    )


async def append(connection: Connection, events: Sequence[OutgoingEvent]) -> None:
    """Write events into the outbox inside the caller's transaction, in one statement, in order.

    Lock the row that the key stands for first: rows of one key must get their ids in the order in
    which their transactions commit.
    """
    if not events:
        return
    records = [to_record(event) for event in events]
    status = await connection.execute(
        _APPEND,
        [shard_of(record.key) for record in records],
        [record.topic for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [pack_headers(record.headers) for record in records],
    )
    require_written("outbox", int(status.removeprefix("INSERT 0 ")), len(records))


def shard_of(key: bytes) -> int:
    """The shard of a key, the same in every process and for ever."""
    return crc32(key) % SHARDS
