"""Records of replays and discards: the new status, the entry in the record of actions, and the event."""

from dataclasses import dataclass
from typing import Any

from chassis import clock
from chassis.dead_letters.queries import DeadLetter
from chassis.messaging.message import event_of
from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres.database import Connection
from contracts.dead_letters import MessageDiscarded, MessageReplayed

# Append-only: a service's start-up check names it.
ACTION_TABLE = "dead_letter_action"

_SETTLE = "UPDATE dead_letter SET status = $2 WHERE dead_letter_id = $1"
_FAIL = "UPDATE dead_letter SET error = $2, attempts = attempts + 1 WHERE dead_letter_id = $1"
_RECORD = """
INSERT INTO dead_letter_action (dead_letter_id, action, actor, is_reason_typed, error)
VALUES ($1, $2, $3, $4, $5) RETURNING id
"""
_KEEP_REASON = "INSERT INTO dead_letter_action_reason (action_id, reason) VALUES ($1, $2)"


@dataclass(frozen=True, slots=True)
class ReplayedBy:
    """The person who replays, and the reason if one was given."""

    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DiscardedBy:
    """The person who discards, and the reason, which is mandatory."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that could not be replayed or discarded and still waits."""

    dead_letter_id: str
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a replay or a discard.

    Attributes:
        done: messages replayed or discarded.
        failures: messages that were tried and still wait.
    """

    done: int = 0
    failures: tuple[Failure, ...] = ()


async def record_replay(connection: Connection, consumer: str, letter: DeadLetter, by: ReplayedBy) -> None:
    """Record and announce that a message was applied, in the transaction that applied it."""
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


async def record_failed_replay(
    connection: Connection, letter: DeadLetter, by: ReplayedBy, *, error: str
) -> None:
    """Record that a message failed again. It waits on with the new error; no event is published."""
    await connection.execute(_FAIL, letter.id, error)
    await _record(connection, letter, "replay_failed", by, error=error)


async def record_discard(connection: Connection, consumer: str, letter: DeadLetter, by: DiscardedBy) -> None:
    """Record and announce that a message will not be applied."""
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
    by: ReplayedBy | DiscardedBy,
    *,
    error: str | None = None,
) -> None:
    """Insert the entry, which is permanent, and the reason in its own table, where it can be erased."""
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
