"""What came of a dead letter: its status, the record of who did it, and the event that tells it."""

from dataclasses import dataclass
from typing import Any

from chassis import clock
from chassis.dead_letters.queries import DeadLetter
from chassis.messaging.message import event_of
from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres.database import Connection
from contracts.dead_letters import MessageDiscarded, MessageReplayed

ACTION_TABLE = "dead_letter_action"
"""Append-only: a service's start-up self-check names it."""

_SETTLE = "UPDATE dead_letter SET status = $2 WHERE dead_letter_id = $1"
_FAIL = "UPDATE dead_letter SET error = $2, attempts = attempts + 1 WHERE dead_letter_id = $1"
_RECORD = """
INSERT INTO dead_letter_action (dead_letter_id, action, actor, is_reason_typed, error)
VALUES ($1, $2, $3, $4, $5) RETURNING id
"""
_KEEP_REASON = "INSERT INTO dead_letter_action_reason (action_id, reason) VALUES ($1, $2)"


@dataclass(frozen=True, slots=True)
class Replaying:
    """Who replays, and why, if they say so."""

    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Discarding:
    """Who discards, and why: what is never applied has a reason."""

    actor: str
    reason: str


async def replayed(connection: Connection, consumer: str, letter: DeadLetter, by: Replaying) -> None:
    """The message was applied, in this very transaction."""
    await connection.execute(_SETTLE, letter.id, "replayed")
    await _record(connection, letter, "replayed", by)
    payload = MessageReplayed(
        **_origin(consumer, letter),
        attempts=letter.attempts + 1,
        actor=by.actor,
        reason=by.reason,
        replayed_at=clock.now(),
    )
    await append(connection, [_event(consumer, letter, payload)])


async def replay_failed(connection: Connection, letter: DeadLetter, by: Replaying, *, error: str) -> None:
    """The message failed again and goes on waiting, with its newest error."""
    await connection.execute(_FAIL, letter.id, error)
    await _record(connection, letter, "replay_failed", by, error=error)


async def discarded(connection: Connection, consumer: str, letter: DeadLetter, by: Discarding) -> None:
    """The message will not be applied."""
    await connection.execute(_SETTLE, letter.id, "discarded")
    await _record(connection, letter, "discarded", by)
    payload = MessageDiscarded(
        **_origin(consumer, letter),
        attempts=letter.attempts,
        actor=by.actor,
        reason=by.reason,
        discarded_at=clock.now(),
    )
    await append(connection, [_event(consumer, letter, payload)])


async def _record(
    connection: Connection,
    letter: DeadLetter,
    action: str,
    by: Replaying | Discarding,
    *,
    error: str | None = None,
) -> None:
    """Write the record, which stays for ever, and the reason beside it, which can be erased."""
    number = await connection.fetchval(_RECORD, letter.id, action, by.actor, by.reason is not None, error)
    if by.reason is not None:
        await connection.execute(_KEEP_REASON, number, by.reason)


def _origin(consumer: str, letter: DeadLetter) -> dict[str, Any]:
    event_id, event_type = event_of(letter.message.headers)
    return {
        "dead_letter_id": letter.id,
        "consumer": consumer,
        "topic": letter.message.topic,
        "partition": letter.message.partition,
        "offset": letter.message.offset,
        "event_id": event_id,
        "event_type": event_type,
    }


def _event(consumer: str, letter: DeadLetter, payload: MessageReplayed | MessageDiscarded) -> OutgoingEvent:
    return OutgoingEvent(
        payload=payload,
        key=letter.message.key.decode(errors="replace"),
        source=consumer,
        traceparent=letter.message.traceparent,
    )
