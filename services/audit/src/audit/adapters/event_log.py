"""Table `event_log`: a batch is appended in one statement, each event once for ever (AU-1)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from audit.domain.digest import new_salt, payload_digest
from audit.domain.entries import Entry, EventIdentity
from audit.domain.sealed_size import metadata_json
from chassis.messaging.failures import require_written
from chassis.postgres import Connection

_APPEND = """
WITH incoming AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::json[],
        $9::timestamptz[], $10::text[], $11::integer[], $12::bigint[], $13::text[], $14::text[],
        $15::text[], $16::bytea[], $17::bytea[], $18::bytea[], $19::json[]
    ) WITH ORDINALITY AS row (
        event_type, status, source, event_id, booking_id, actor, error, metadata,
        occurred_at, topic, partition, record_offset, correlation_id, causation_id,
        subject, body, salt, payload_digest, texts, position
    )
), entry AS (
    INSERT INTO event_log (
        event_type, status, source, event_id, booking_id, actor, error, metadata,
        occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
    )
    SELECT
        event_type, status, source, event_id, booking_id, actor, error, metadata,
        occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
    FROM incoming ORDER BY position
    ON CONFLICT (event_id, source) DO NOTHING
    RETURNING entry_id, source, event_id
), payload AS (
    INSERT INTO event_payload (entry_id, subject, salt, body, texts)
    SELECT entry_id, subject, salt, body, texts FROM entry JOIN incoming USING (source, event_id)
    RETURNING entry_id
)
SELECT entry_id, source, event_id, payload.entry_id IS NOT NULL AS has_payload
FROM entry LEFT JOIN payload USING (entry_id)
"""

_KNOWN = """
SELECT source, event_id, entry_id, salt, payload_digest
FROM unnest($1::text[], $2::text[]) AS key (source, event_id)
JOIN event_log USING (source, event_id)
LEFT JOIN event_payload USING (entry_id)
"""


@dataclass(frozen=True, slots=True)
class Appended:
    """A new entry of the log, with its number."""

    entry_id: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Known:
    """An entry of the log, for the comparison of another body with its own.

    Attributes:
        salt: None after the payload was erased; then no body can be compared.
    """

    entry_id: int
    salt: bytes | None
    payload_digest: bytes


async def append(connection: Connection, entries: Iterable[Entry]) -> dict[EventIdentity, Appended]:
    """Append entries with a new identity, in order, inside the caller's transaction.

    Of several entries with one identity the first is appended; the caller compares the others.
    """
    first: dict[EventIdentity, Entry] = {}
    for entry in entries:
        first.setdefault(entry.identity, entry)
    if not first:
        return {}
    columns = zip(*map(_row, first.values()), strict=True)
    rows = await connection.fetch(_APPEND, *columns)
    # An entry without its payload would look erased.
    require_written("event_payload", sum(row["has_payload"] for row in rows), len(rows))
    return {
        identity: Appended(row["entry_id"], first[identity])
        for row in rows
        for identity in [(row["source"], row["event_id"])]
    }


async def known(connection: Connection, identities: Collection[EventIdentity]) -> dict[EventIdentity, Known]:
    """Return the log's entries of these identities, including those of concurrent writers that committed."""
    if not identities:
        return {}
    sources, event_ids = zip(*identities, strict=True)
    rows = await connection.fetch(_KNOWN, sources, event_ids)
    return {
        (row["source"], row["event_id"]): Known(row["entry_id"], row["salt"], row["payload_digest"])
        for row in rows
    }


def _row(entry: Entry) -> Sequence[object]:
    salt = new_salt()
    metadata, whole = metadata_json(entry.metadata)
    texts = entry.texts if whole is None else {**entry.texts, "metadata": whole}
    return (
        entry.event_type,
        entry.status,
        entry.source,
        entry.event_id,
        entry.booking_id,
        entry.actor,
        entry.error,
        metadata,
        entry.occurred_at,
        entry.origin.topic,
        entry.origin.partition,
        entry.origin.offset,
        entry.correlation_id,
        entry.causation_id,
        entry.subject,
        entry.body,
        salt,
        payload_digest(salt, entry.body),
        msgspec.json.encode(texts).decode() if texts else None,
    )
