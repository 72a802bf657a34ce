"""Reads of the dead letters, for operators and for the actions on them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from chassis.messaging.message import Message, OrderingKey, unpack_headers
from chassis.postgres import stored_rows
from chassis.postgres.database import Connection
from chassis.postgres.stored_rows import UnreadableRow, UnreadableRowError

Status = Literal["waiting", "replayed", "discarded"]

_COLUMNS = """
    id, dead_letter_id, topic, partition, record_offset, key, value, headers, reason, error, attempts, status,
    set_aside_at
"""

_MATCHES = """
consumer = $1 AND status = $2 AND ($3::text IS NULL OR topic = $3) AND ($4::bytea IS NULL OR key = $4)
    AND ($5::text IS NULL OR reason = $5) AND ($6::timestamptz IS NULL OR set_aside_at < $6)
    AND ($7::timestamptz IS NULL OR set_aside_at >= $7)
"""

# Without bodies: one can have half a megabyte, and a page has hundreds of rows.
_LIST = f"""
SELECT {_COLUMNS.replace(" value,", " ''::bytea AS value,")} FROM dead_letter
WHERE {_MATCHES} AND id > $8 ORDER BY id LIMIT $9
"""  # noqa: S608 - constants

_REFERENCES = f"""
SELECT id, dead_letter_id, topic, key FROM dead_letter WHERE {_MATCHES} AND id > $8 ORDER BY id LIMIT $9
"""  # noqa: S608 - constants

_COUNT = f"SELECT count(*) FROM dead_letter WHERE {_MATCHES}"  # noqa: S608 - constants

_FIND = f"SELECT {_COLUMNS} FROM dead_letter WHERE consumer = $1 AND dead_letter_id = $2"  # noqa: S608 - a constant

_FIRST_WAITING = f"""
SELECT {_COLUMNS} FROM dead_letter
WHERE consumer = $1 AND topic = $2 AND key = $3 AND status = 'waiting'
ORDER BY reason = 'out_of_place', id LIMIT 1
"""  # noqa: S608 - a constant

_WAITING_MESSAGES = """
SELECT dead_letter_id, topic, partition, record_offset, key, ''::bytea AS value, headers FROM dead_letter
WHERE consumer = $1 AND topic = $2 AND key = $3 AND status = 'waiting'
"""

_WAITING_KEYS = """
SELECT topic, key, count(*) AS messages FROM dead_letter
WHERE consumer = $1 AND status = 'waiting' AND ($2::text IS NULL OR topic = $2)
    AND ($3::bytea IS NULL OR key = $3)
GROUP BY topic, key
HAVING bool_or(
    ($4::text IS NULL OR reason = $4) AND ($5::timestamptz IS NULL OR set_aside_at < $5)
    AND ($6::timestamptz IS NULL OR set_aside_at >= $6)
)
ORDER BY min(id)
"""

_COUNT_WAITING = """
SELECT count(*) FROM dead_letter
JOIN unnest($2::text[], $3::bytea[]) AS ordering_key (topic, key) USING (topic, key)
WHERE consumer = $1 AND status = 'waiting'
"""

_ACTIONS = """
SELECT
    action, actor, coalesce(taken.reason, given.reason) AS reason,
    is_reason_typed IS TRUE AND given.reason IS NULL AS reason_erased, error, recorded_at
FROM dead_letter_action AS taken LEFT JOIN dead_letter_action_reason AS given ON given.action_id = taken.id
WHERE dead_letter_id = $1 ORDER BY taken.id
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that a dead letter must meet; None is no condition. `set_aside_before` is exclusive."""

    status: Status = "waiting"
    topic: str | None = None
    key: bytes | None = None
    reason: str | None = None
    set_aside_before: datetime | None = None
    set_aside_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was set aside, and its status.

    Attributes:
        number: position in the order of setting aside, within an ordering key and across them.
        message: as received from Kafka.
        attempts: made so far, by the consumer and by replays.
    """

    number: int
    id: str
    message: Message
    reason: str
    error: str
    attempts: int
    status: Status
    set_aside_at: datetime

    @property
    def ordering_key(self) -> OrderingKey:
        return self.message.topic, self.message.key


@dataclass(frozen=True, slots=True)
class Reference:
    """The columns that identify a dead letter. They can be read where the rest of the row cannot."""

    number: int
    id: UUID
    ordering_key: OrderingKey


@dataclass(frozen=True, slots=True)
class WaitingKey:
    """An ordering key and the number of its waiting messages."""

    ordering_key: OrderingKey
    messages: int


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """One entry of the record of actions on a dead letter."""

    action: str
    actor: str
    reason: str | None
    reason_erased: bool
    error: str | None
    recorded_at: datetime


async def list_letters(
    connection: Connection, consumer: str, criteria: Filter, *, after: int = 0, rows_max: int
) -> list[DeadLetter | UnreadableRow]:
    """Return dead letters without bodies, in order of number, from the one behind `after` on."""
    arguments = (consumer, *_arguments(criteria), after, rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="dead_letter_id")
    return stored_rows.read_rows(rows, _letter, key="dead_letter_id", position=lambda row: (row["id"],))


async def list_references(
    connection: Connection, consumer: str, criteria: Filter, *, after: int, rows_max: int
) -> list[Reference]:
    """Return references in order of number, from the one behind `after` on."""
    rows = await connection.fetch(_REFERENCES, consumer, *_arguments(criteria), after, rows_max)
    return [Reference(row["id"], row["dead_letter_id"], (row["topic"], row["key"])) for row in rows]


async def find(connection: Connection, consumer: str, dead_letter_id: UUID) -> DeadLetter | None:
    """Return one dead letter of any status; None if the id is unknown.

    Raises:
        UnreadableRowError: its row cannot be read.
    """
    row = await stored_rows.fetch_one(connection, _FIND, consumer, dead_letter_id)
    return None if row is None else stored_rows.read_row(row, _letter, key="dead_letter_id")


async def first_waiting(
    connection: Connection, consumer: str, ordering_key: OrderingKey
) -> DeadLetter | None:
    """Return the message of an ordering key that is replayed next; None if none waits.

    Raises:
        UnreadableRowError: its row cannot be read.
    """
    rows = await stored_rows.fetch(connection, _FIRST_WAITING, consumer, *ordering_key, key="dead_letter_id")
    for letter in stored_rows.read_rows(rows, _letter, key="dead_letter_id"):
        if isinstance(letter, UnreadableRow):
            raise UnreadableRowError(letter)
        return letter
    return None


async def waiting_messages(
    connection: Connection, consumer: str, ordering_key: OrderingKey
) -> list[Message | UnreadableRow]:
    """Return the waiting messages of an ordering key without bodies, in no particular order."""
    rows = await stored_rows.fetch(
        connection, _WAITING_MESSAGES, consumer, *ordering_key, key="dead_letter_id"
    )
    return stored_rows.read_rows(rows, _message, key="dead_letter_id")


async def count(connection: Connection, consumer: str, criteria: Filter) -> int:
    """Count the dead letters that meet the criteria."""
    return await connection.fetchval(_COUNT, consumer, *_arguments(criteria))


async def waiting_keys(connection: Connection, consumer: str, criteria: Filter) -> list[WaitingKey]:
    """Return the ordering keys with at least one waiting message that meets the criteria.

    The key that has waited longest comes first. Each counts all its waiting messages.
    """
    _, *arguments = _arguments(criteria)
    rows = await connection.fetch(_WAITING_KEYS, consumer, *arguments)
    return [WaitingKey((row["topic"], row["key"]), row["messages"]) for row in rows]


async def count_waiting(connection: Connection, consumer: str, ordering_keys: Collection[OrderingKey]) -> int:
    """Count the waiting messages of these ordering keys, which are distinct."""
    topics, keys = [topic for topic, _ in ordering_keys], [key for _, key in ordering_keys]
    return await connection.fetchval(_COUNT_WAITING, consumer, topics, keys)


async def actions(connection: Connection, dead_letter_id: str) -> Sequence[ActionTaken]:
    """Return the recorded actions on a dead letter, oldest first."""
    rows = await connection.fetch(_ACTIONS, dead_letter_id)
    return [ActionTaken(**row) for row in rows]


def _arguments(criteria: Filter) -> tuple[object, ...]:
    return (
        criteria.status,
        criteria.topic,
        criteria.key,
        criteria.reason,
        criteria.set_aside_before,
        criteria.set_aside_since,
    )


def _message(row: asyncpg.Record) -> Message:
    headers = unpack_headers(row["headers"])
    return Message(row["topic"], row["partition"], row["record_offset"], row["key"], row["value"], headers)


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(
        number=row["id"],
        id=str(row["dead_letter_id"]),
        message=_message(row),
        reason=row["reason"],
        error=row["error"],
        attempts=row["attempts"],
        status=row["status"],
        set_aside_at=row["set_aside_at"],
    )
