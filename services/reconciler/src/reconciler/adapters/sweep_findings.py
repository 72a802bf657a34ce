"""Table `sweep_finding`: findings of sweeps until their reason is gone. The caller holds the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis.postgres import Connection
from reconciler.domain.sweeps import ObjectType

FindingType = Literal["delivery_missed", "payment_anomaly"]

# A finding that this sweep has entered already is left alone: its page came twice.
_ENTER = """
INSERT INTO sweep_finding (fingerprint, type, object_type, object_id, sweep_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[])
ON CONFLICT (fingerprint) DO UPDATE SET sweep_id = excluded.sweep_id, settled_at = NULL
WHERE sweep_finding.sweep_id <> excluded.sweep_id OR sweep_finding.settled_at IS NOT NULL
RETURNING new.fingerprint, (old.fingerprint IS NULL OR old.settled_at IS NOT NULL) AS is_new
"""

_OPEN = """
SELECT fingerprint, object_type, object_id FROM sweep_finding
WHERE settled_at IS NULL AND type = $1 AND fingerprint > $2 AND ($3::uuid IS NULL OR sweep_id <> $3)
ORDER BY fingerprint LIMIT $4
"""

_SETTLE = """
UPDATE sweep_finding SET settled_at = $2 WHERE fingerprint = ANY($1::text[]) AND settled_at IS NULL
RETURNING fingerprint
"""


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding whose reason was there when it was last looked at."""

    fingerprint: str
    object_type: ObjectType
    object_id: str


async def enter(
    connection: Connection, type_: FindingType, findings: Sequence[OpenFinding], sweep_id: str
) -> dict[str, bool]:
    """Enter what a sweep has found. Return the fingerprints, and True for those that were not open before."""
    rows = await connection.fetch(
        _ENTER,
        [finding.fingerprint for finding in findings],
        [type_] * len(findings),
        [finding.object_type for finding in findings],
        [finding.object_id for finding in findings],
        [UUID(sweep_id)] * len(findings),
    )
    return {row["fingerprint"]: row["is_new"] for row in rows}


async def open_findings(
    connection: Connection,
    type_: FindingType,
    *,
    after: str = "",
    rows_max: int,
    not_of_sweep: str | None = None,
) -> Sequence[OpenFinding]:
    """Return the next open findings by fingerprint, without those that a sweep has found itself."""
    sweep = None if not_of_sweep is None else UUID(not_of_sweep)
    return [OpenFinding(**row) for row in await connection.fetch(_OPEN, type_, after, sweep, rows_max)]


async def settle(connection: Connection, fingerprints: Sequence[str], *, now: datetime) -> set[str]:
    """Mark findings as settled; return those that were open."""
    return {row["fingerprint"] for row in await connection.fetch(_SETTLE, fingerprints, now)}
