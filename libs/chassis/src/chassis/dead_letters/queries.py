"""Dead letters as an operator looks at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from chassis.dead_letters.ordering import Line
from chassis.messaging.message import Message, unpack_headers
from chassis.postgres import stored_rows
from chassis.postgres.database import Connection
from chassis.postgres.stored_rows import UnreadableRow

Status = Literal["waiting", "replayed", "discarded"]
STATUSES: tuple[Status, ...] = ("waiting", "replayed", "discarded")

_COLUMNS = """
    id, dead_letter_id, topic, partition, record_offset, key, value, headers, reason, error, attempts, status,
    set_aside_at
"""

# Bodies can be half a megabyte each, and hundreds are listed at once.
_LIST = f"""
SELECT {_COLUMNS.replace(" value,", " ''::bytea AS value,")} FROM dead_letter
WHERE consumer = $1 AND status = $2 AND ($3::text IS NULL OR topic = $3) AND ($4::bytea IS NULL OR key = $4)
    AND ($5::text IS NULL OR reason = $5) AND ($6::timestamptz IS NULL OR set_aside_at < $6)
    AND ($7::timestamptz IS NULL OR set_aside_at >= $7)
    AND id > $8
ORDER BY id LIMIT $9
"""  # noqa: S608 - a constant

_FIND = f"SELECT {_COLUMNS} FROM dead_letter WHERE consumer = $1 AND dead_letter_id = $2"  # noqa: S608 - a constant

_FIRST = f"""
SELECT {_COLUMNS} FROM dead_letter
WHERE consumer = $1 AND topic = $2 AND key = $3 AND status = 'waiting'
ORDER BY reason = 'out_of_place', id LIMIT 1
"""  # noqa: S608 - a constant

_LINES = """
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

_COUNT = """
SELECT count(*) FROM dead_letter
WHERE consumer = $1 AND status = $2 AND ($3::text IS NULL OR topic = $3) AND ($4::bytea IS NULL OR key = $4)
    AND ($5::text IS NULL OR reason = $5) AND ($6::timestamptz IS NULL OR set_aside_at < $6)
    AND ($7::timestamptz IS NULL OR set_aside_at >= $7)
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
    """Which dead letters are meant; None means all. `set_aside_before` is exclusive."""

    status: Status = "waiting"
    topic: str | None = None
    key: bytes | None = None
    reason: str | None = None
    set_aside_before: datetime | None = None
    set_aside_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it was set aside, and how it stands.

    Attributes:
        number: its place in order of setting aside, within and between lines.
        message: as it came from Kafka.
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
    def line(self) -> Line:
        """Where it waits."""
        return self.message.topic, self.message.key


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A topic and key, and how many messages of it wait."""

    line: Line
    messages: int


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """One thing that somebody did about a dead letter."""

    action: str
    actor: str
    reason: str | None
    reason_erased: bool
    error: str | None
    recorded_at: datetime


async def letters(
    connection: Connection, consumer: str, wanted: Filter, *, after: int = 0, rows_max: int
) -> list[DeadLetter]:
    """Dead letters in the order in which they were set aside, from the number `after` on, without bodies."""
    rows = await connection.fetch(_LIST, consumer, *_arguments(wanted), after, rows_max)
    return [_letter(row) for row in rows]


async def listed(
    connection: Connection, consumer: str, wanted: Filter, *, after: int = 0, rows_max: int
) -> list[DeadLetter | UnreadableRow]:
    """Return what `letters` does, for a list: one that cannot be read is marked."""
    arguments = (consumer, *_arguments(wanted), after, rows_max)
    rows = await stored_rows.fetch(connection, _LIST, *arguments, key="dead_letter_id")
    return stored_rows.read_rows(rows, _letter, key="dead_letter_id", position=lambda row: (row["id"],))


async def find(connection: Connection, consumer: str, dead_letter_id: UUID) -> DeadLetter | None:
    """Return one dead letter, whatever its status; None if there is none of this id.

    Raises:
        UnreadableRowError: its row cannot be read.
    """
    row = await stored_rows.fetch_one(connection, _FIND, consumer, dead_letter_id)
    return None if row is None else stored_rows.read_row(row, _letter, key="dead_letter_id")


async def first_waiting(connection: Connection, consumer: str, line: Line) -> DeadLetter | None:
    """The message of a line whose turn it is; None if none waits."""
    row = await connection.fetchrow(_FIRST, consumer, *line)
    return None if row is None else _letter(row)


async def count(connection: Connection, consumer: str, wanted: Filter) -> int:
    """How many dead letters are meant."""
    return await connection.fetchval(_COUNT, consumer, *_arguments(wanted))


async def waiting_lines(connection: Connection, consumer: str, wanted: Filter) -> list[WaitingLine]:
    """Lines that hold a waiting message that is meant, whole; the one that has waited longest first."""
    _, *arguments = _arguments(wanted)
    rows = await connection.fetch(_LINES, consumer, *arguments)
    return [WaitingLine((row["topic"], row["key"]), row["messages"]) for row in rows]


async def actions(connection: Connection, dead_letter_id: str) -> Sequence[ActionTaken]:
    """What was done about a dead letter, oldest first."""
    rows = await connection.fetch(_ACTIONS, dead_letter_id)
    return [ActionTaken(**row) for row in rows]


def _arguments(wanted: Filter) -> tuple[object, ...]:
    return (
        wanted.status,
        wanted.topic,
        wanted.key,
        wanted.reason,
        wanted.set_aside_before,
        wanted.set_aside_since,
    )


def _letter(row: asyncpg.Record) -> DeadLetter:
    headers = unpack_headers(row["headers"])
    return DeadLetter(
        number=row["id"],
        id=str(row["dead_letter_id"]),
        message=Message(
            row["topic"], row["partition"], row["record_offset"], row["key"], row["value"], headers
        ),
        reason=row["reason"],
        error=row["error"],
        attempts=row["attempts"],
        status=row["status"],
        set_aside_at=row["set_aside_at"],
    )
