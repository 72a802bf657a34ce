"""The inbox: an event is applied at most once, in the transaction of its effect (BK-10, design rule 4).

The inbox remembers an event for 35 days (`chassis.messaging.inbox_retention`). No provider sends an event
again after that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chassis.messaging.failures import MalformedMessageError, require_written
from chassis.messaging.message import Message
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Connection
from contracts.statements import Statement, agree, pack_statement, unpack_statement

# ORDER BY keeps two replicas from taking the same rows in opposite orders and deadlocking.
_INSERT = """
INSERT INTO inbox (source, event_id, body_sha256, statement)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[])
    AS incoming (source, event_id, body_sha256, statement)
ORDER BY source, event_id
ON CONFLICT (source, event_id) DO NOTHING
RETURNING source, event_id
"""

_MARK_PROCESSED = (
    "INSERT INTO inbox (source, event_id, body_sha256) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)

_BODIES = """
SELECT source, event_id, body_sha256 FROM inbox
WHERE (source, event_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

_STATEMENTS = """
SELECT source, event_id, statement FROM inbox
WHERE statement IS NOT NULL AND (source, event_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

EventIdentity = tuple[str, str]
"""Source and event id."""

StatementReader = Callable[[Message], Statement | None]
"""Returns what a message says, independent of its encoding. None: messages are compared by their bytes."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A message with a known identity and a body that says something else. Reported, never applied."""

    message: Message
    first_body_sha256: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """A batch as the inbox sorted it: `fresh` in order of arrival, the number of duplicates, conflicts."""

    fresh: list[Message]
    duplicates: int
    conflicts: list[Conflict]


def conflict_counter(metrics: Metrics) -> Callable[[float], None]:
    """Return a function that adds to `identity_conflicts_total`.

    A message that Kafka delivers again is counted again.
    """
    counter = metrics.counter("identity_conflicts")
    return counter.inc


def event_identity(message: Message) -> EventIdentity:
    """Return source and event id, fit for a text column (PostgreSQL refuses U+0000).

    Raises:
        MalformedMessageError: the headers do not describe an event.
    """
    metadata = message.metadata
    return metadata.source.replace("\0", "\ufffd"), metadata.id.replace("\0", "\ufffd")


def identity_or_none(message: Message) -> EventIdentity | None:
    """Return source and event id, or None if the headers do not describe an event."""
    try:
        return event_identity(message)
    except MalformedMessageError:
        return None


def no_statement(_: Message) -> Statement | None:
    """Return None, so that all messages are compared by their bytes."""
    return None


async def admit(
    connection: Connection, messages: Sequence[Message], *, statement_of: StatementReader = no_statement
) -> Admission:
    """Insert messages into the inbox, inside the caller's transaction, and return which of them are new.

    A message with a known identity and another body is a duplicate if both bodies say the same, else a
    conflict (BK-10a). If one of the two bodies cannot be read, or the first was inserted before statements
    were stored, the message is a conflict too, so that a person looks.

    Raises:
        MalformedMessageError: a message has no identity.
        LostWriteError: a row neither existed nor was written.
    """
    first: dict[EventIdentity, Message] = {}
    for message in messages:
        first.setdefault(event_identity(message), message)
    fresh = await _insert(connection, first, statement_of)
    bodies = await fetch_processed(connection, [identity for identity in first if identity not in fresh])
    removed = {i: message for i, message in first.items() if i not in fresh and i not in bodies}
    if removed:  # by the retention, between the two statements; or the first insert was dropped
        require_written("inbox", len(await _insert(connection, removed, statement_of)), len(removed))
    bodies |= {identity: first[identity].body_sha256 for identity in fresh}
    repeated = [m for m in messages if not (event_identity(m) in fresh and first[event_identity(m)] is m)]
    # A row that the retention has just removed: the message is still a duplicate.
    first_bodies = [(m, bodies.get(event_identity(m), m.body_sha256)) for m in repeated]
    differing = [Conflict(m, body) for m, body in first_bodies if body != m.body_sha256]
    fresh_statements = {i: statement_of(first[i]) for i in fresh} if differing else {}
    statements = await _fetch_first_statements(connection, differing, fresh_statements)
    conflicts = [
        conflict
        for conflict in differing
        if not _is_copy(statement_of(conflict.message), statements[event_identity(conflict.message)])
    ]
    return Admission(
        fresh=[message for identity, message in first.items() if identity in fresh],
        duplicates=len(repeated) - len(conflicts),
        conflicts=conflicts,
    )


async def _insert(
    connection: Connection, messages: Mapping[EventIdentity, Message], statement_of: StatementReader
) -> set[EventIdentity]:
    """Insert the messages that are new. Return their identities."""
    rows = await connection.fetch(
        _INSERT,
        [source for source, _ in messages],
        [event_id for _, event_id in messages],
        [message.body_sha256 for message in messages.values()],
        [pack_statement(statement_of(message)) for message in messages.values()],
    )
    return {(row["source"], row["event_id"]) for row in rows}


async def _fetch_first_statements(
    connection: Connection,
    differing: Sequence[Conflict],
    fresh_statements: Mapping[EventIdentity, Statement | None],
) -> Mapping[EventIdentity, Statement | None]:
    """Return the statement of the first body of each identity, from `fresh_statements` or the table."""
    identities = {event_identity(conflict.message) for conflict in differing}
    statements = {identity: fresh_statements.get(identity) for identity in identities}
    stored = [identity for identity in identities if identity not in fresh_statements]
    if stored:
        sources, event_ids = zip(*stored, strict=True)
        rows = await connection.fetch(_STATEMENTS, sources, event_ids)
        statements |= {(row["source"], row["event_id"]): unpack_statement(row["statement"]) for row in rows}
    return statements


def _is_copy(second: Statement | None, first: Statement | None) -> bool:
    return first is not None and second is not None and agree(first, second)


async def mark_processed(connection: Connection, message: Message) -> None:
    """Record an event as processed without applying it. Later copies are dropped as duplicates.

    Do nothing for a message without an event identity.
    """
    identity = identity_or_none(message)
    if identity is not None:
        await connection.execute(_MARK_PROCESSED, *identity, message.body_sha256)


async def fetch_processed(
    connection: Connection, identities: Sequence[EventIdentity]
) -> dict[EventIdentity, bytes]:
    """Return the identities that the inbox knows, each with the SHA-256 digest of its first body."""
    if not identities:
        return {}
    rows = await connection.fetch(
        _BODIES, [source for source, _ in identities], [event_id for _, event_id in identities]
    )
    return {(row["source"], row["event_id"]): row["body_sha256"] for row in rows}
