"""Messages are kept whole, in order, and announced: rows and events in one statement each."""

from collections.abc import Sequence

from chassis import clock
from chassis.messaging.failures import require_written
from chassis.messaging.message import Message, event_of, pack_headers
from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres.database import Connection
from contracts.dead_letters import MessageSetAside
from contracts.reasons import SetAsideReason

_PUT = """
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
JOIN unnest($2::text[], $3::integer[], $4::bigint[]) AS kept (topic, partition, record_offset)
    USING (topic, partition, record_offset)
WHERE consumer = $1
"""


async def keep(
    connection: Connection,
    consumer: str,
    messages: Sequence[Message],
    *,
    reason: SetAsideReason,
    error: str,
    attempts: int,
) -> None:
    """Keep messages, inside the caller's transaction. A record that is here already is not kept twice.

    Raises:
        LostWriteError: a message is neither here nor written.
    """
    if not messages:
        return
    ids = [clock.new_id() for _ in messages]
    rows = await connection.fetch(
        _PUT,
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
    new = {str(row["dead_letter_id"]) for row in rows}
    if len(new) < len(messages):
        await _require_kept(connection, consumer, messages)
    kept = [(number, message) for number, message in zip(ids, messages, strict=True) if number in new]
    await append(connection, [_announcement(consumer, *each, reason, error, attempts) for each in kept])


async def _require_kept(connection: Connection, consumer: str, messages: Sequence[Message]) -> None:
    records = {(message.topic, message.partition, message.offset) for message in messages}
    kept: int = await connection.fetchval(_COUNT, consumer, *map(list, zip(*records, strict=True)))
    require_written("dead_letter", kept, len(records))


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
