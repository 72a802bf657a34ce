"""The consumer's side: a message is kept whole and announced, later ones of its line stand behind it."""

from collections.abc import Iterable, Sequence

from chassis import clock
from chassis.dead_letters.lines import Line, lock_lines
from chassis.messages import Message, event_of, pack_headers
from chassis.outbox import OutgoingEvent, append
from chassis.postgres import Connection
from contracts.dead_letters import MessageSetAside
from contracts.reasons import SetAsideReason

_WAITING = """
SELECT DISTINCT topic, key FROM dead_letter
WHERE consumer = $1 AND status = 'waiting' AND (topic, key) IN (SELECT * FROM unnest($2::text[], $3::bytea[]))
"""

_PUT = """
INSERT INTO dead_letter
    (dead_letter_id, consumer, topic, partition, record_offset, key, value, headers, reason, error, attempts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (consumer, topic, partition, record_offset) DO NOTHING
RETURNING dead_letter_id
"""


class DeadLetters:
    """The dead letters of one consumer.

    Args:
        consumer: the service's name; part of what makes a set-aside message unique.
    """

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer

    async def waiting_lines(self, connection: Connection, messages: Sequence[Message]) -> set[Line]:
        """Which of these messages' lines wait; they are locked, so that no replay releases one meanwhile."""
        waiting = await self._waiting(connection, {(m.topic, m.key) for m in messages})
        if not waiting:
            return waiting
        await lock_lines(connection, self._consumer, waiting)
        return await self._waiting(connection, waiting)

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> None:
        """Keep a message and announce it, inside the transaction that lets its offset pass."""
        dead_letter_id = clock.new_id()
        kept = await connection.fetchval(
            _PUT,
            dead_letter_id,
            self._consumer,
            message.topic,
            message.partition,
            message.offset,
            message.key,
            message.value,
            pack_headers(message.headers),
            reason.value,
            error,
            attempts,
        )
        if kept is not None:
            await append(connection, [self._announcement(message, dead_letter_id, reason, error, attempts)])

    async def _waiting(self, connection: Connection, lines: Iterable[Line]) -> set[Line]:
        pairs = list(lines)
        rows = await connection.fetch(
            _WAITING, self._consumer, [topic for topic, _ in pairs], [key for _, key in pairs]
        )
        return {(row["topic"], row["key"]) for row in rows}

    def _announcement(
        self, message: Message, dead_letter_id: str, reason: SetAsideReason, error: str, attempts: int
    ) -> OutgoingEvent:
        event_id, event_type = event_of(message.headers)
        return OutgoingEvent(
            payload=MessageSetAside(
                dead_letter_id=dead_letter_id,
                consumer=self._consumer,
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                event_id=event_id,
                event_type=event_type,
                reason=reason,
                error=error,
                attempts=attempts,
                set_aside_at=clock.now(),
            ),
            key=message.key.decode(errors="replace"),
            source=self._consumer,
        )
