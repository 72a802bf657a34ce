"""The inbox: an event is applied at most once, in the transaction of its effect (BK-10, design rule 4).

It knows an event for 35 days (`chassis.messaging.inbox_retention`), longer than any provider sends it again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chassis.messaging.failures import MalformedMessageError, require_written
from chassis.messaging.message import Message
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Connection
from contracts.statements import Statement, agree, pack_statement, unpack_statement

# ORDER BY keeps two replicas from taking the same rows in opposite orders and deadlocking.
_ADMIT = """
INSERT INTO inbox (source, event_id, body_sha256, statement)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[])
    AS incoming (source, event_id, body_sha256, statement)
ORDER BY source, event_id
ON CONFLICT (source, event_id) DO NOTHING
RETURNING source, event_id
"""

_ENTER = "INSERT INTO inbox (source, event_id, body_sha256) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"

_KNOWN = """
SELECT source, event_id, body_sha256 FROM inbox
WHERE (source, event_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

_STATEMENTS = """
SELECT source, event_id, statement FROM inbox
WHERE statement IS NOT NULL AND (source, event_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

Identity = tuple[str, str]
"""Source and event id: what makes an event itself."""

ReadStatement = Callable[[Message], Statement | None]
"""Tells what a message says apart from how it is written; None: it is compared by its bytes."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A message whose identity is known with a body that says something else: reported, never applied."""

    message: Message
    first_body_sha256: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """What the inbox makes of a batch: `fresh` in order of arrival; duplicates only counted."""

    fresh: list[Message]
    duplicates: int
    conflicts: list[Conflict]


def conflict_counter(metrics: Metrics) -> Callable[[float], None]:
    """Counts `identity_conflicts_total`; a message that Kafka delivers again is counted again."""
    counter = metrics.counter(
        "identity_conflicts", "Messages with the id of an event that had another body; none is applied"
    )
    return counter.inc


def identity_of(message: Message) -> Identity:
    """Source and event id, fit for a text column (PostgreSQL refuses U+0000)."""
    metadata = message.metadata
    return metadata.source.replace("\0", "\ufffd"), metadata.id.replace("\0", "\ufffd")


def identity_if_any(message: Message) -> Identity | None:
    """The same, or None for a message that names no event: the inbox cannot know it."""
    try:
        return identity_of(message)
    except MalformedMessageError:
        return None


def by_bytes(_: Message) -> Statement | None:
    """Compare all messages by their bytes."""
    return None


async def admit(
    connection: Connection, messages: Sequence[Message], *, statement_of: ReadStatement = by_bytes
) -> Admission:
    """Enter messages into the inbox, inside the caller's transaction, in one statement.

    A message with a known identity and another body is a duplicate where both bodies say the same, else a
    conflict (BK-10a). Where one of them cannot be read, or was entered before statements were kept, nobody
    can tell: that is a conflict too, so that a person looks.

    Raises:
        MalformedMessageError: a message has no identity.
        LostWriteError: a row was neither there nor written.
    """
    first: dict[Identity, Message] = {}
    for message in messages:
        first.setdefault(identity_of(message), message)
    fresh = await _insert(connection, first, statement_of)
    bodies = await known(connection, [identity for identity in first if identity not in fresh])
    gone = {i: message for i, message in first.items() if i not in fresh and i not in bodies}
    if gone:  # forgotten between the two statements, or never written
        require_written("inbox", len(await _insert(connection, gone, statement_of)), len(gone))
    bodies |= {identity: first[identity].body_sha256 for identity in fresh}
    repeated = [m for m in messages if not (identity_of(m) in fresh and first[identity_of(m)] is m)]
    # An identity that was known a statement ago and is not now has just been forgotten: still a duplicate.
    first_bodies = [(m, bodies.get(identity_of(m), m.body_sha256)) for m in repeated]
    others = [Conflict(m, body) for m, body in first_bodies if body != m.body_sha256]
    said = await _said(connection, others, {i: statement_of(first[i]) for i in fresh} if others else {})
    conflicts = [
        other
        for other in others
        if not _is_copy(statement_of(other.message), said[identity_of(other.message)])
    ]
    return Admission(
        fresh=[message for identity, message in first.items() if identity in fresh],
        duplicates=len(repeated) - len(conflicts),
        conflicts=conflicts,
    )


async def _insert(
    connection: Connection, messages: Mapping[Identity, Message], statement_of: ReadStatement
) -> set[Identity]:
    """Insert those that are new, and return their identities."""
    rows = await connection.fetch(
        _ADMIT,
        [source for source, _ in messages],
        [event_id for _, event_id in messages],
        [message.body_sha256 for message in messages.values()],
        [pack_statement(statement_of(message)) for message in messages.values()],
    )
    return {(row["source"], row["event_id"]) for row in rows}


async def _said(
    connection: Connection, others: Sequence[Conflict], fresh: Mapping[Identity, Statement | None]
) -> Mapping[Identity, Statement | None]:
    """What the first body under each of these identities said; `fresh` are those of this batch."""
    identities = {identity_of(other.message) for other in others}
    said = {identity: fresh.get(identity) for identity in identities}
    known_before = [identity for identity in identities if identity not in fresh]
    if known_before:
        sources, event_ids = zip(*known_before, strict=True)
        rows = await connection.fetch(_STATEMENTS, sources, event_ids)
        said |= {(row["source"], row["event_id"]): unpack_statement(row["statement"]) for row in rows}
    return said


def _is_copy(second: Statement | None, first: Statement | None) -> bool:
    return first is not None and second is not None and agree(first, second)


async def enter(connection: Connection, message: Message) -> None:
    """Let an event count as applied without applying it: neither it nor a copy of it is, from now on.

    A message that names no event is left alone.
    """
    identity = identity_if_any(message)
    if identity is not None:
        await connection.execute(_ENTER, *identity, message.body_sha256)


async def known(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, bytes]:
    """Which of these identities were applied already, each with the digest of its body."""
    if not identities:
        return {}
    rows = await connection.fetch(
        _KNOWN, [source for source, _ in identities], [event_id for _, event_id in identities]
    )
    return {(row["source"], row["event_id"]): row["body_sha256"] for row in rows}
