"""Table `run_finding`: findings of dry runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.messaging.failures import require_written
from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.domain.findings import Finding

_INSERT = """
INSERT INTO run_finding (
    run_id, booking_id, type, drift_class, severity, fingerprint, title, explanation, currency, amount,
    waiting
)
SELECT
    $1, booking_id, type, drift_class, severity, fingerprint, title, explanation::jsonb, currency, amount,
    waiting
FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::numeric[], $11::text[]
) WITH ORDINALITY AS found (
    booking_id, type, drift_class, severity, fingerprint, title, explanation, currency, amount, waiting,
    position
)
ORDER BY position
"""

# The exception about the same problem, whatever its status: there is one per fingerprint.
_LIST = """
SELECT
    finding.id, finding.booking_id, finding.type, finding.drift_class, finding.severity,
    finding.severity_rank, finding.currency, finding.amount, finding.waiting, finding.title,
    finding.explanation::text AS explanation,
    known.id AS exception_id, known.status AS exception_status
FROM run_finding AS finding
LEFT JOIN exception AS known ON NOT known.superseded AND known.fingerprint = finding.fingerprint
WHERE finding.run_id = $1
    AND ($2::bigint IS NULL OR (finding.severity_rank, finding.id) > ($2, $3::bigint))
ORDER BY finding.severity_rank, finding.id
LIMIT $4
"""

_COUNT = "SELECT type, severity, count(*) AS count FROM run_finding WHERE run_id = $1 GROUP BY type, severity"

_DELETE_OLD = """
DELETE FROM run_finding
WHERE run_id IN (SELECT id FROM run WHERE is_dry_run AND finished_at < $1)
"""


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A finding of a dry run.

    Attributes:
        amount: in minor units of `currency`, as the exception would have it.
        waiting: what the finding waits for; None if a person has to act.
        exception_id, exception_status: of the exception about the same problem, as it is now; None without
            one: a run would open one.
        position: in the list.
    """

    id: str
    type: str
    drift_class: str | None
    severity: str
    booking_id: str | None
    title: str
    currency: str | None
    amount: int | None
    waiting: str | None
    explanation: dict[str, Any]
    exception_id: str | None
    exception_status: str | None
    position: tuple[int, int]


async def insert(connection: Connection, run_id: str, findings: Sequence[Finding]) -> None:
    """Store the findings of a page, in the page's transaction."""
    status = await connection.execute(
        _INSERT,
        UUID(run_id),
        [finding.booking_id for finding in findings],
        [finding.type for finding in findings],
        [finding.drift_class for finding in findings],
        [finding.severity for finding in findings],
        [finding.fingerprint for finding in findings],
        [finding.title for finding in findings],
        [json.dumps(finding.explanation) for finding in findings],
        [finding.currency for finding in findings],
        [finding.amount for finding in findings],
        [finding.waiting for finding in findings],
    )
    require_written("run_finding", int(status.removeprefix("INSERT 0 ")), len(findings))


async def list_findings(
    connection: Connection, run_id: str, *, after: tuple[int, int] | None, rows_max: int
) -> Sequence[FindingRecord | UnreadableRow]:
    """Return findings of a run, high first, then in the order of bookings."""
    rank, identifier = after or (None, None)
    rows = await stored_rows.fetch(connection, _LIST, UUID(run_id), rank, identifier, rows_max, key="id")
    return stored_rows.read_rows(
        rows, _view, key="id", position=lambda row: (row["severity_rank"], row["id"])
    )


async def count(connection: Connection, run_id: str) -> Sequence[tuple[str, str, int]]:
    """Return the number of findings of a run by type and severity."""
    rows = await connection.fetch(_COUNT, UUID(run_id))
    return [(row["type"], row["severity"], row["count"]) for row in rows]


async def delete_old(connection: Connection, *, before: datetime) -> None:
    """Delete the findings of dry runs that ended before a time."""
    await connection.execute(_DELETE_OLD, before)


def _view(row: asyncpg.Record) -> FindingRecord:
    exception_id = row["exception_id"]
    return FindingRecord(
        id=str(row["id"]),
        type=row["type"],
        drift_class=row["drift_class"],
        severity=row["severity"],
        booking_id=row["booking_id"],
        title=row["title"],
        currency=row["currency"],
        amount=None if row["amount"] is None else int(row["amount"]),
        waiting=row["waiting"],
        explanation=json.loads(row["explanation"]),
        exception_id=None if exception_id is None else str(exception_id),
        exception_status=row["exception_status"],
        position=(row["severity_rank"], row["id"]),
    )
