"""Table `exception`: lock, insert and update (REC-8). The caller holds the transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from reconciler.adapters.exception_rows import STATE_COLUMNS, read_state, stakes, state_columns
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.findings import RUN_TYPES, Finding, RunType

_NEXT_EVIDENCE = "SELECT nextval('reconciler.exception_evidence')"

# In the order of ids, so that two transactions do not wait for each other.
_LOCK = f"""
SELECT {STATE_COLUMNS} FROM exception WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - a constant

_LOCK_SEEN = f"""
SELECT {STATE_COLUMNS} FROM exception
WHERE NOT superseded AND fingerprint = ANY($1::text[])
ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - a constant

_LOCK_OLDER = f"""
SELECT {STATE_COLUMNS} FROM exception
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND booking_id = ANY($2::text[]) AND evidence < $3
ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - a constant

_OF_OLDER = """
SELECT DISTINCT booking_id FROM exception
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND evidence < $2
    AND booking_id > $3 AND booking_id <= $4
"""

_LOCK_SLEEPING = f"""
SELECT {STATE_COLUMNS} FROM exception WHERE status = 'suppressed' AND suppressed_until <= $1
ORDER BY id LIMIT $2 FOR NO KEY UPDATE
"""  # noqa: S608 - a constant

# The partial unique index decides what is new, also between concurrent sessions.
_INSERT = """
INSERT INTO exception (
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation, currency,
    amount, line, rate_card, engine, waiting, evidence, opened_at, clock_running_since, first_seen_at,
    last_seen_at, last_run_id
)
SELECT
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation::jsonb, currency,
    amount, line, rate_card, engine, waiting, $16, CASE WHEN waiting IS NULL THEN $17::timestamptz END,
    CASE WHEN waiting IS NULL THEN $17::timestamptz END, $17, $17, $18
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::numeric[], $12::text[], $13::text[], $14::text[], $15::text[]
) AS found (
    id, type, drift_class, severity, booking_id, fingerprint, difference, title, explanation, currency,
    amount, line, rate_card, engine, waiting
)
ORDER BY fingerprint
ON CONFLICT DO NOTHING
RETURNING id
"""

_SEE = """
UPDATE exception SET
    drift_class = found.drift_class,
    severity = found.severity,
    difference = found.difference,
    title = found.title,
    explanation = found.explanation::jsonb,
    currency = found.currency,
    amount = found.amount,
    line = found.line,
    rate_card = found.rate_card,
    engine = found.engine,
    last_seen_at = $12,
    last_run_id = coalesce($13, last_run_id)
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[],
    $9::text[], $10::text[], $11::text[]
) AS found (
    id, drift_class, severity, difference, title, explanation, currency, amount, line, rate_card, engine
)
WHERE exception.id = found.id
"""

_UPDATE = """
UPDATE exception SET
    occurrences = now.occurrences,
    revision = now.revision,
    version = now.version,
    evidence = now.evidence,
    waiting = now.waiting,
    opened_at = now.opened_at,
    regressions = now.regressions,
    escalated_at = now.escalated_at,
    status = now.status,
    assignee = now.assignee,
    suppressed_until = now.suppressed_until,
    suppressed_beyond = now.suppressed_beyond,
    suppressed_occurrences = now.suppressed_occurrences,
    proposed_resolution = now.proposed_resolution,
    proposed_by = now.proposed_by,
    proposed_up_to = now.proposed_up_to,
    resolution = now.resolution,
    resolved_at = now.resolved_at,
    resolved_by = now.resolved_by,
    resolved_by_machine = now.resolved_by_machine,
    resolved_up_to = now.resolved_up_to,
    baseline_severity = now.baseline_severity,
    baseline_size = now.baseline_size,
    baseline_occurrences = now.baseline_occurrences,
    clock_counted = now.clock_counted,
    clock_running_since = now.clock_running_since,
    acknowledged_after = now.acknowledged_after,
    resolved_after = now.resolved_after
FROM unnest(
    $1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[],
    $8::bigint[], $9::timestamptz[], $10::text[], $11::text[], $12::timestamptz[], $13::numeric[],
    $14::bigint[], $15::text[], $16::text[], $17::numeric[], $18::text[], $19::timestamptz[], $20::text[],
    $21::boolean[], $22::numeric[], $23::text[], $24::numeric[], $25::bigint[], $26::interval[],
    $27::timestamptz[], $28::interval[], $29::interval[]
) AS now (
    id, occurrences, revision, version, evidence, waiting, opened_at, regressions, escalated_at, status,
    assignee, suppressed_until, suppressed_beyond, suppressed_occurrences, proposed_resolution, proposed_by,
    proposed_up_to, resolution, resolved_at, resolved_by, resolved_by_machine, resolved_up_to,
    baseline_severity, baseline_size, baseline_occurrences, clock_counted, clock_running_since,
    acknowledged_after, resolved_after
)
WHERE exception.id = now.id
"""

_NOT_SEEN = """
SELECT DISTINCT booking_id FROM exception
WHERE status <> 'resolved' AND type = ANY($1::text[]) AND last_run_id IS DISTINCT FROM $2
    AND booking_id > $3 AND ($5::text IS NULL OR booking_id = $5)
ORDER BY booking_id
LIMIT $4
"""


async def next_evidence(connection: Connection) -> int:
    """Return a number above all that were taken before.

    A read takes its number before it begins, a person's judgement when it is made: of two, the larger number
    knows more. No clock is compared.
    """
    return int(await connection.fetchval(_NEXT_EVIDENCE))


async def lock(connection: Connection, exception_ids: Sequence[str]) -> list[ExceptionState]:
    """Lock exceptions and return their states, by id; unknown ids are left out."""
    rows = await connection.fetch(_LOCK, [UUID(each) for each in exception_ids])
    return [read_state(row) for row in rows]


async def lock_seen(connection: Connection, fingerprints: Sequence[str]) -> Mapping[str, ExceptionState]:
    """Lock the exceptions of these fingerprints and return their states by fingerprint."""
    states = [read_state(row) for row in await connection.fetch(_LOCK_SEEN, fingerprints)]
    # Rows of the previous version: the one that is not resolved stands for the fingerprint.
    states.sort(key=lambda state: state.status != "resolved")
    return {state.fingerprint: state for state in states}


async def lock_older(
    connection: Connection, booking_ids: Sequence[str], evidence: int, *, types: Sequence[RunType] = RUN_TYPES
) -> list[ExceptionState]:
    """Lock the unresolved exceptions of these bookings and types that no evidence of this number has seen."""
    return [read_state(row) for row in await connection.fetch(_LOCK_OLDER, types, booking_ids, evidence)]


async def bookings_of_older(
    connection: Connection, evidence: int, *, between: tuple[str | None, str]
) -> set[str]:
    """Return the bookings after one id and up to another that have an exception for `lock_older`."""
    after, last = between
    rows = await connection.fetch(_OF_OLDER, RUN_TYPES, evidence, after or "", last)
    return {row["booking_id"] for row in rows}


async def lock_sleeping(connection: Connection, *, at: datetime, rows_max: int) -> list[ExceptionState]:
    """Lock suppressed exceptions whose time is up."""
    return [read_state(row) for row in await connection.fetch(_LOCK_SLEEPING, at, rows_max)]


async def insert(
    connection: Connection,
    exceptions: Sequence[tuple[ExceptionState, Finding]],
    *,
    evidence: int,
    at: datetime,
    run_id: str | None,
) -> set[str]:
    """Insert new exceptions; return the ids of those that no other session inserted meanwhile."""
    findings = [finding for _, finding in exceptions]
    rows = await connection.fetch(
        _INSERT,
        [UUID(state.id) for state, _ in exceptions],
        [finding.type for finding in findings],
        [finding.drift_class for finding in findings],
        [finding.severity for finding in findings],
        [finding.booking_id for finding in findings],
        [finding.fingerprint for finding in findings],
        [finding.difference for finding in findings],
        [finding.title for finding in findings],
        [json.dumps(finding.explanation) for finding in findings],
        *stakes(findings),
        [finding.waiting for finding in findings],
        evidence,
        at,
        None if run_id is None else UUID(run_id),
    )
    return {str(row["id"]) for row in rows}


async def see(
    connection: Connection, seen: Sequence[tuple[str, Finding]], *, at: datetime, run_id: str | None
) -> None:
    """Store what a finding shows of known exceptions."""
    findings = [finding for _, finding in seen]
    status = await connection.execute(
        _SEE,
        [UUID(exception_id) for exception_id, _ in seen],
        [finding.drift_class for finding in findings],
        [finding.severity for finding in findings],
        [finding.difference for finding in findings],
        [finding.title for finding in findings],
        [json.dumps(finding.explanation) for finding in findings],
        *stakes(findings),
        at,
        None if run_id is None else UUID(run_id),
    )
    require_written("exception", int(status.removeprefix("UPDATE ")), len(seen))


async def update(connection: Connection, states: Sequence[ExceptionState]) -> None:
    """Store states. Their rows are locked."""
    rows = [state_columns(state) for state in states]
    status = await connection.execute(_UPDATE, *(list(column) for column in zip(*rows, strict=True)))
    require_written("exception", int(status.removeprefix("UPDATE ")), len(states))


async def bookings_not_seen(
    connection: Connection, run_id: str, *, after: str, rows_max: int, only: str | None = None
) -> Sequence[str]:
    """Return the next bookings by id with an unresolved exception of a run type that this run did not see.

    With `only`, no other booking is looked at.
    """
    rows = await connection.fetch(_NOT_SEEN, RUN_TYPES, UUID(run_id), after, rows_max, only)
    return [row["booking_id"] for row in rows]
