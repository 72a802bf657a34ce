"""Tables of bulk operations: insert, freeze, claim, decide, finish (REC-9b).

The caller holds the transaction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from reconciler.adapters.exception_conditions import Condition
from reconciler.adapters.operation_rows import (
    WORK_COLUMNS,
    OperationWork,
    arguments_json,
    read_state,
    read_work,
    selection_json,
    sums_json,
)
from reconciler.domain.operation_steps import Attempt
from reconciler.domain.operations import (
    OperationState,
    OperationStatus,
    Outcome,
    PlannedStep,
    Selected,
    Selection,
    Token,
)

_INSERT = """
INSERT INTO exception_operation (
    id, action, arguments, selection, actor, has_reason, status, planned_count, sums, without_amount,
    token_sha256, token_expires_at, created_at
)
VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6, 'planned', $7, $8::jsonb, $9, $10, $11, $12)
"""

_INSERT_REASON = "INSERT INTO exception_operation_reason (operation_id, step, reason) VALUES ($1, $2, $3)"

_LOCK = """
SELECT id, status, actor, token_sha256, token_expires_at, selection FROM exception_operation
WHERE id = $1 FOR NO KEY UPDATE
"""

# One statement: ids, counts and sums are of one moment.
_FREEZE = """
WITH frozen AS (
    INSERT INTO exception_operation_item (operation_id, exception_id)
    SELECT ${number}::uuid, id FROM exception WHERE {condition}
    RETURNING exception_id
)
SELECT
    CASE WHEN amount IS NOT NULL THEN currency END AS currency, sum(amount) AS amount, count(*) AS exceptions
FROM exception JOIN frozen ON frozen.exception_id = exception.id
GROUP BY 1
"""

_START = """
UPDATE exception_operation SET
    status = 'applying', planned_count = $2, sums = $3::jsonb, without_amount = $4, started_at = $5,
    worked_at = $5
WHERE id = $1
"""

_START_TO_REVERT = """
UPDATE exception_operation SET
    status = 'reverting', reverted_by = $2, revert_started_at = $3, worked_at = $3, attempts = 0,
    error = NULL, finished_at = coalesce(finished_at, $3), unchanged = unchanged + $4
WHERE id = $1
"""

_DROP_PENDING = """
UPDATE exception_operation_item
SET outcome = 'unchanged', detail = 'the operation was taken back before its turn', decided_at = $2
WHERE operation_id = $1 AND outcome = 'pending'
"""

# One process works on an operation at a time. When it dies, its session ends and with it the lock.
_CLAIM = f"""
SELECT {WORK_COLUMNS} FROM exception_operation
WHERE status IN ('applying', 'reverting')
ORDER BY worked_at
LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - a constant

_NEXT_ITEMS = """
SELECT exception_id FROM exception_operation_item WHERE operation_id = $1 AND outcome = $2
ORDER BY exception_id LIMIT $3
"""

_DECIDE = """
UPDATE exception_operation_item AS item
SET outcome = decided.outcome, detail = decided.detail, version = coalesce(decided.version, item.version),
    decided_at = $6
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[]) AS decided (id, outcome, detail, version)
WHERE item.operation_id = $1 AND item.exception_id = decided.id AND item.outcome = $7
"""

_COUNT = """
UPDATE exception_operation SET
    stepped = stepped + $2, unchanged = unchanged + $3, refused = refused + $4, reverted = reverted + $5,
    not_reverted = not_reverted + $6, worked_at = $7, attempts = 0, error = NULL
WHERE id = $1
"""

_FINISH = """
UPDATE exception_operation SET
    status = $2,
    error = $3,
    finished_at = CASE WHEN status = 'applying' THEN $4 ELSE finished_at END,
    revert_finished_at = CASE WHEN status = 'reverting' THEN $4 END
WHERE id = $1
RETURNING planned_count, stepped, unchanged, refused, reverted, not_reverted,
    coalesce(reverted_by, actor) AS actor, coalesce(revert_started_at, started_at) AS started_at
"""

_NOTE_FAILURE = """
UPDATE exception_operation
SET error = $2, worked_at = $3, attempts = attempts + CASE WHEN $4 THEN 1 ELSE 0 END
WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class OperationEnd:
    """Counts of an operation that has ended."""

    actor: str
    started_at: datetime
    counts: dict[Outcome, int]


async def insert(
    connection: Connection,
    operation_id: str,
    planned: PlannedStep,
    selection: Selection,
    selected: Selected,
    *,
    token: Token | None,
    at: datetime,
) -> None:
    """Insert a planned operation."""
    await connection.execute(
        _INSERT,
        UUID(operation_id),
        planned.action,
        arguments_json(planned.arguments),
        selection_json(selection),
        planned.by,
        bool(planned.text),
        selected.count,
        sums_json(selected.sums),
        selected.without_amount,
        None if token is None else token.sha256,
        None if token is None else token.expires_at,
        at,
    )
    if planned.text:
        await insert_reason(connection, operation_id, "apply", planned.text)


async def insert_reason(
    connection: Connection, operation_id: str, step: Literal["apply", "revert"], reason: str
) -> None:
    """Store what a person typed where it can be erased."""
    await connection.execute(_INSERT_REASON, UUID(operation_id), step, reason)


async def lock(connection: Connection, operation_id: str) -> tuple[OperationState, str] | None:
    """Lock an operation; return its state and its stored selection, None for an unknown id."""
    row = await connection.fetchrow(_LOCK, UUID(operation_id))
    return None if row is None else (read_state(row), row["selection"])


async def freeze(connection: Connection, operation_id: str, condition: Condition) -> Selected:
    """Insert the selected exceptions as the operation's items, and return what they amount to."""
    statement = _FREEZE.format(condition=condition.sql, number=len(condition.arguments) + 1)
    rows = await connection.fetch(statement, *condition.arguments, UUID(operation_id))
    known = [row for row in rows if row["currency"] is not None]
    return Selected(
        sum(row["exceptions"] for row in rows),
        {row["currency"]: int(row["amount"]) for row in known},
        sum(row["exceptions"] for row in rows if row["currency"] is None),
    )


async def start(connection: Connection, operation_id: str, selected: Selected, *, at: datetime) -> None:
    """Start an operation whose items are frozen."""
    sums = sums_json(selected.sums)
    arguments = (UUID(operation_id), selected.count, sums, selected.without_amount, at)
    require_written("exception_operation", _rows(await connection.execute(_START, *arguments)), 1)


async def start_to_revert(connection: Connection, operation_id: str, *, by: str, at: datetime) -> None:
    """Start to take an operation back; exceptions whose turn has not come stay as they are."""
    dropped = _rows(await connection.execute(_DROP_PENDING, UUID(operation_id), at))
    status = await connection.execute(_START_TO_REVERT, UUID(operation_id), by, at, dropped)
    require_written("exception_operation", _rows(status), 1)


async def claim(connection: Connection) -> OperationWork | None:
    """Lock the operation whose turn it is, unless another process works on it; None without one."""
    row = await connection.fetchrow(_CLAIM)
    return None if row is None else read_work(row)


async def next_items(connection: Connection, work: OperationWork, *, rows_max: int) -> Sequence[str]:
    """Return the next exceptions of an operation, by id."""
    rows = await connection.fetch(_NEXT_ITEMS, UUID(work.id), work.takes, rows_max)
    return [str(row["exception_id"]) for row in rows]


async def decide(
    connection: Connection, work: OperationWork, attempts: Sequence[tuple[str, Attempt]], *, at: datetime
) -> Counter[Outcome]:
    """Store the outcomes of a batch, and count them."""
    status = await connection.execute(
        _DECIDE,
        UUID(work.id),
        [UUID(exception_id) for exception_id, _ in attempts],
        [tried.outcome for _, tried in attempts],
        [tried.detail for _, tried in attempts],
        [None if tried.decision is None else tried.decision.state.version for _, tried in attempts],
        at,
        work.takes,
    )
    require_written("exception_operation_item", _rows(status), len(attempts))
    counts: Counter[Outcome] = Counter(tried.outcome for _, tried in attempts)
    # A step that is taken back, or cannot be, counts no more as taken.
    left = len(attempts) if work.takes == "stepped" else 0
    await connection.execute(
        _COUNT,
        UUID(work.id),
        counts["stepped"] - left,
        counts["unchanged"],
        counts["refused"],
        counts["reverted"],
        counts["not_reverted"],
        at,
    )
    return counts


async def finish(
    connection: Connection, operation_id: str, status: OperationStatus, *, error: str | None, at: datetime
) -> OperationEnd:
    """End an operation, and return its counts."""
    row = await connection.fetchrow(_FINISH, UUID(operation_id), status, error, at)
    assert row is not None, "the operation is locked"
    outcomes: Sequence[Outcome] = ("stepped", "unchanged", "refused", "reverted", "not_reverted")
    counts: dict[Outcome, int] = {name: row[name] for name in outcomes}
    counts["pending"] = row["planned_count"] - sum(counts.values())
    return OperationEnd(row["actor"], row["started_at"], counts)


async def note_failure(
    connection: Connection, operation_id: str, error: str, *, counts: bool, at: datetime
) -> None:
    """Store why a batch failed; `counts` says whether it counts as an attempt."""
    await connection.execute(_NOTE_FAILURE, UUID(operation_id), error, at, counts)


def _rows(status: str) -> int:
    return int(status.rpartition(" ")[2])
