"""Inserts dead letters in order and announces them: one statement for the rows, one for the events."""

from collections.abc import Sequence

from chassis import clock
from chassis.messaging.failures import require_written
from chassis.messaging.message import Message, event_of, pack_headers
from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres.database import Connection
from contracts.dead_letters import MessageSetAside
from contracts.reasons import SetAsideReason

_INSERT = """
INSERT INTO dead_letter
    (dead_letter_id, consumer, topic, partition, record_offset, key, value, headers, reason, error, attempts)
SELECT dead_letter_id, $1, topic, partition, record_offset, key, value, headers, $2, $3, $4
FROM unnest($5::uuid[], $6::text[], $7::integer[], $8::bigint[], $9::bytea[], $10::bytea[], $11::bytea[])
    WITH ORDINALITY AS row (dead_letter_id, topic, partition, record_offset, key, value, headers, position)
ORDER BY position
ON CONFLICT DO NOTHING
RETURNING dead_letter_id
"""

_COUNT = """
SELECT count(DISTINCT (topic, partition, record_offset)) FROM dead_letter
JOIN unnest($2::text[], $3::integer[], $4::bigint[]) AS record (topic, partition, record_offset)
    USING (topic, partition, record_offset)
WHERE consumer = $1
"""


async def insert(
    connection: Connection,
    consumer: str,
    messages: Sequence[Message],
    *,
    reason: SetAsideReason,
    error: str,
    attempts: int,
) -> None:
    """Store messages whole, in the caller's transaction, and announce the new ones.

    A record that is stored already is skipped.

    Raises:
        LostWriteError: after the statement a message is not in the table.
    """
    if not messages:
        return
    ids = [clock.new_id() for _ in messages]
    rows = await connection.fetch(
        _INSERT,
        consumer,
        reason.value,
        error,
        attempts,
        ids,
        [message.topic for message in messages],
        [message.partition for message in messages],
        [message.offset for message in messages],
        [message.key for message in messages],
        [message.value for message in messages],
        [pack_headers(message.headers) for message in messages],
    )
    inserted = {str(row["dead_letter_id"]) for row in rows}
    if len(inserted) < len(messages):
        await _require_stored(connection, consumer, messages)
    new = [(id_, message) for id_, message in zip(ids, messages, strict=True) if id_ in inserted]
    await append(connection, [_announcement(consumer, *each, reason, error, attempts) for each in new])


async def _require_stored(connection: Connection, consumer: str, messages: Sequence[Message]) -> None:
    records = {(message.topic, message.partition, message.offset) for message in messages}
    stored: int = await connection.fetchval(_COUNT, consumer, *map(list, zip(*records, strict=True)))
    require_written("dead_letter", stored, len(records))


def _announcement(
    consumer: str,
    dead_letter_id: str,
    message: Message,
    reason: SetAsideReason,
    error: str,
    attempts: int,
) -> OutgoingEvent:
    event_id, event_type = event_of(message.headers)
    payload = MessageSetAside(
        dead_letter_id=dead_letter_id,
        consumer=consumer,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        event_id=event_id,
        event_type=event_type,
        reason=reason.announced,
        error=error,
        attempts=attempts,
        set_aside_at=clock.now(),
    )
    return OutgoingEvent(
        payload=payload,
        key=message.key.decode(errors="replace"),
        source=consumer,
        traceparent=message.traceparent,
    )
