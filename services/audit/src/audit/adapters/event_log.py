"""Tables `event_log` and `event_payload`: batches are appended, each event once for ever (AU-1).

Entries are inserted from arrays, because COPY cannot skip a known event. The payloads of new entries follow
by COPY, so that bodies do not pass through the executor (decision 0059).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from audit.domain.digest import new_salts, payload_digest
from audit.domain.entries import Entry, EventIdentity
from audit.domain.sealed_size import metadata_json
from chassis.messaging.failures import require_written
from chassis.postgres import Connection

_APPEND = """
INSERT INTO event_log (
    event_type, status, source, event_id, booking_id, actor, error, metadata,
    occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
)
SELECT
    event_type, status, source, event_id, booking_id, actor, error, metadata,
    occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::json[],
    $9::timestamptz[], $10::text[], $11::integer[], $12::bigint[], $13::text[], $14::text[], $15::bytea[]
) WITH ORDINALITY AS row (
    event_type, status, source, event_id, booking_id, actor, error, metadata,
    occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest, position
)
ORDER BY position
ON CONFLICT (event_id, source) DO NOTHING
RETURNING entry_id, source, event_id
"""

_PAYLOAD_COLUMNS = ("entry_id", "subject", "salt", "body", "texts")

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
    salts = new_salts(len(first))
    rows = {
        identity: _rows(entry, salt) for (identity, entry), salt in zip(first.items(), salts, strict=True)
    }
    inserted = await connection.fetch(
        _APPEND, *zip(*(entry_row for entry_row, _ in rows.values()), strict=True)
    )
    fresh = {(source, event_id): entry_id for entry_id, source, event_id in inserted}
    payloads = [(entry_id, *rows[identity][1]) for identity, entry_id in fresh.items()]
    if payloads:
        copied = await connection.copy_records_to_table(
            "event_payload", columns=_PAYLOAD_COLUMNS, records=payloads
        )
        # An entry without its payload would look erased.
        require_written("event_payload", int(copied.removeprefix("COPY ")), len(payloads))
    return {identity: Appended(entry_id, first[identity]) for identity, entry_id in fresh.items()}


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


def _rows(entry: Entry, salt: bytes) -> tuple[Sequence[object], Sequence[object]]:
    """Return an entry's row of `event_log` and, without its number, that of `event_payload`."""
    metadata, whole = metadata_json(entry.metadata)
    texts = entry.texts if whole is None else {**entry.texts, "metadata": whole}
    entry_row = (
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
        payload_digest(salt, entry.body),
    )
    return entry_row, (
        entry.subject,
        salt,
        entry.body,
        msgspec.json.encode(texts).decode() if texts else None,
    )
