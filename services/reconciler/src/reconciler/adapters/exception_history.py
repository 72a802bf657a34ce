"""Table `exception_event`: the steps of exceptions, for ever (REC-9). The caller holds the transaction."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from contracts.times import parse_time
from reconciler.domain.decisions import LastStep, Step
from reconciler.domain.exceptions import Baseline, Proposal, Resolution, Suppression, Workflow

# Each step stores the explanation of its time.
_APPEND = """
INSERT INTO exception_event (
    exception_id, version, kind, revision, actor, reason, is_reason_typed, run_id, operation_id, explanation,
    details, workflow_before
)
SELECT
    exception.id, step.version, step.kind, exception.revision, step.actor, step.reason, step.is_reason_typed,
    $9, $10, exception.explanation, step.details::jsonb, step.workflow_before::jsonb
FROM unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[]
) WITH ORDINALITY AS step (
    id, version, kind, actor, reason, is_reason_typed, details, workflow_before, position
)
JOIN exception USING (id)
ORDER BY position
"""

_APPEND_REASONS = """
INSERT INTO exception_event_reason (exception_id, version, reason)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])
"""

# Comments change nothing that a reverting step would restore.
_LAST_STEPS = """
SELECT DISTINCT ON (exception_id) exception_id, kind, actor, version, operation_id, workflow_before
FROM exception_event
WHERE exception_id = ANY($1::uuid[]) AND kind <> 'commented'
ORDER BY exception_id, id DESC
"""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A step of an exception, to be appended. `before` is the workflow before a person's step."""

    exception_id: str
    version: int
    step: Step
    before: Workflow | None


async def append(
    connection: Connection,
    entries: Sequence[HistoryEntry],
    *,
    run_id: str | None,
    operation_id: str | None,
) -> None:
    """Append steps, in order; a reason that a person typed stands apart, where it can be erased (ALL-8)."""
    status = await connection.execute(
        _APPEND,
        [UUID(entry.exception_id) for entry in entries],
        [entry.version for entry in entries],
        [entry.step.kind for entry in entries],
        [entry.step.by for entry in entries],
        ["" if entry.step.is_typed else entry.step.reason for entry in entries],
        [entry.step.is_typed and bool(entry.step.reason) for entry in entries],
        [None if entry.step.details is None else json.dumps(entry.step.details) for entry in entries],
        [None if entry.before is None else _to_json(entry.before) for entry in entries],
        None if run_id is None else UUID(run_id),
        None if operation_id is None else UUID(operation_id),
    )
    require_written("exception_event", int(status.removeprefix("INSERT 0 ")), len(entries))
    typed = [entry for entry in entries if entry.step.is_typed and entry.step.reason]
    if typed:
        await connection.execute(
            _APPEND_REASONS,
            [UUID(entry.exception_id) for entry in typed],
            [entry.version for entry in typed],
            [entry.step.reason for entry in typed],
        )


async def last_steps(connection: Connection, exception_ids: Sequence[str]) -> dict[str, LastStep]:
    """Return the last step of each exception, by id."""
    rows = await connection.fetch(_LAST_STEPS, [UUID(each) for each in exception_ids])
    return {
        str(row["exception_id"]): LastStep(
            row["kind"],
            row["actor"],
            row["version"] or 0,
            None if row["operation_id"] is None else str(row["operation_id"]),
            None if row["workflow_before"] is None else _from_json(row["workflow_before"]),
        )
        for row in rows
    }


def _to_json(workflow: Workflow) -> str:
    return json.dumps(asdict(workflow), default=datetime.isoformat)


def _from_json(text: str) -> Workflow:
    members: dict[str, Any] = json.loads(text)
    suppression, resolution = members["suppression"], members["resolution"]
    if suppression is not None and suppression["until"] is not None:
        suppression["until"] = parse_time(suppression["until"])
    if resolution is not None:
        resolution["at"] = parse_time(resolution["at"])
    return Workflow(
        status=members["status"],
        assignee=members["assignee"],
        suppression=None if suppression is None else Suppression(**suppression),
        proposal=None if members["proposal"] is None else Proposal(**members["proposal"]),
        resolution=None if resolution is None else Resolution(**resolution),
        baseline=None if members["baseline"] is None else Baseline(**members["baseline"]),
    )
