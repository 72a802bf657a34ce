"""The outbox: events are written in the transaction of the change they report (design rules 2 and 3).

`append` neither begins nor commits a transaction. `chassis.relay` publishes the rows.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakSet
from zlib import crc32

from chassis import clock
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.messaging.failures import require_written
from chassis.messaging.message import pack_headers
from chassis.observability import trace_context
from chassis.postgres.database import Connection
from contracts.catalogue import CARD_BY_MODEL
from contracts.metadata import MessageMetadata
from contracts.wire import WireModel

SHARDS = 16
"""Never changed: the shard of a key must stay the same while rows of the key wait."""

_APPEND = """
INSERT INTO outbox (shard, topic, key, value, headers)
SELECT shard, topic, key, value, headers
FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])
    WITH ORDINALITY AS row (shard, topic, key, value, headers, position)
ORDER BY position
"""


_relays: WeakSet[asyncio.Event] = WeakSet()


def wake_on_write(event: asyncio.Event) -> None:
    """Set the event whenever this process writes to its outbox, shortly before the row is committed."""
    _relays.add(event)


def note_write() -> None:
    """Wake the relays of this process: a row will be committed in a moment. Others find it by polling."""
    for event in _relays:
        event.set()


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event to be sent.

    Attributes:
        payload: its model determines event type and topic (`contracts.catalogue`).
        key: ordering key. Records of one key keep their order.
        source: name of the service.
        subject: id of the entity that the event is about.
        sequence: version of the subject after the event; None if the subject has no versions.
        correlation_id, causation_id: from the message that caused the event.
        traceparent: W3C trace context to continue. None, or one that is not well-formed: continue the trace
            of the current request, or begin a new one.
        event_id: None: generate one.
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
    """Return the event with correlation id, causation id and trace of the message that caused it."""
    return replace(
        event,
        correlation_id=cause.correlation_id or cause.id,
        causation_id=cause.id,
        traceparent=cause.traceparent,
    )


def to_record(event: OutgoingEvent) -> OutgoingRecord:
    """Build the Kafka record of an event. Its time is now."""
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
    """Write events to the outbox inside the caller's transaction, in one statement, in order.

    Relays of this process are woken (`note_write`).

    The caller must have locked the row that the key stands for: rows of one key must get their ids in the
    order in which their transactions commit.

    Raises:
        LostWriteError: not all rows were written.
    """
    await append_records(connection, [to_record(event) for event in events])


async def append_records(connection: Connection, records: Sequence[OutgoingRecord]) -> None:
    """Write records as they are to the outbox, as `append` does with events.

    Raises:
        LostWriteError: not all rows were written.
    """
    if not records:
        return
    status = await connection.execute(
        _APPEND,
        [shard_of(record.key) for record in records],
        [record.topic for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [pack_headers(record.headers) for record in records],
    )
    require_written("outbox", int(status.removeprefix("INSERT 0 ")), len(records))
    note_write()


def shard_of(key: bytes) -> int:
    """Return the shard of a key: the same in every process and every release."""
    return crc32(key) % SHARDS
