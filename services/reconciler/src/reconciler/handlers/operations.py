"""Bulk operations: plan, apply, take back. Each in the caller's transaction; a job does the work (REC-9b)."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from chassis import clock
from chassis.postgres import Connection
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters import exception_selection, operations
from reconciler.adapters.exception_selection import SelectedException
from reconciler.adapters.operation_rows import read_selection
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.operation_plan import Candidate, Plan, make_plan
from reconciler.domain.operation_steps import check_step, step_request
from reconciler.domain.operations import (
    ITEMS_MAX,
    TOKEN_LIFE,
    PlannedStep,
    Selected,
    Selection,
    Token,
    require_count,
    require_size,
    starts,
    starts_to_revert,
)

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class OperationRules:
    """Settings that decide about operations; as for single steps and lists."""

    second_person_above: int | None
    targets: Targets


@dataclass(frozen=True, slots=True)
class DryRun:
    """A planned operation, and the token that applies it."""

    operation_id: str
    plan: Plan
    token: str
    expires_at: datetime


class UnknownOperationError(LookupError):
    """There is no operation of this id."""

    def __init__(self, operation_id: str) -> None:
        super().__init__(f"there is no operation {operation_id}")


class UnknownExceptionError(LookupError):
    """An id of the selection is no exception's."""

    def __init__(self, exception_id: str) -> None:
        super().__init__(f"there is no exception {exception_id}")


async def plan_operation(
    connection: Connection, planned: PlannedStep, selection: Selection, rules: OperationRules
) -> DryRun:
    """Store a plan, and return what it would do now. It changes no exception.

    Raises:
        ArgumentError: the step's arguments have no sense.
        OperationRefusedError: the selection is too large.
        UnknownExceptionError: an id of the selection is unknown.
    """
    now = clock.now()
    check_step(planned, at=now)
    await _require_known(connection, selection)
    condition = exception_selection.condition(selection, Reading(now, rules.targets))
    rows = await exception_selection.select(connection, condition, rows_max=ITEMS_MAX + 1)
    require_size(len(rows))
    request = step_request(planned, second_person_above=rules.second_person_above)
    # In a thread: thousands of decisions take a noticeable part of a second.
    plan = await asyncio.to_thread(make_plan, [_candidate(row) for row in rows], request, at=now)
    operation_id, token = clock.new_id(), secrets.token_urlsafe(_TOKEN_BYTES)
    stored = Token(_digest(token), now + TOKEN_LIFE)
    await operations.insert(connection, operation_id, planned, selection, plan.selected, token=stored, at=now)
    return DryRun(operation_id, plan, token, stored.expires_at)


async def start_operation(
    connection: Connection,
    planned: PlannedStep,
    selection: Selection,
    rules: OperationRules,
    *,
    expected_count: int,
) -> str:
    """Start an operation without a dry run, and return its id.

    Raises:
        ArgumentError: the step's arguments have no sense.
        OperationRefusedError: the selection has another number of exceptions, or too many.
        UnknownExceptionError: an id of the selection is unknown.
    """
    now = clock.now()
    check_step(planned, at=now)
    await _require_known(connection, selection)
    operation_id = clock.new_id()
    await operations.insert(connection, operation_id, planned, selection, Selected(0), token=None, at=now)
    await _start(connection, operation_id, selection, rules, expected_count=expected_count, at=now)
    return operation_id


async def apply_operation(
    connection: Connection,
    operation_id: str,
    rules: OperationRules,
    *,
    by: str,
    token: str,
    expected_count: int,
) -> None:
    """Start a planned operation. The same request again changes nothing.

    Raises:
        UnknownOperationError: there is no such operation.
        OperationRefusedError: token or count are not those of the plan.
    """
    now = clock.now()
    locked = await operations.lock(connection, operation_id)
    if locked is None:
        raise UnknownOperationError(operation_id)
    operation, selection = locked
    if starts(operation, by=by, token_sha256=_digest(token), at=now):
        selected = read_selection(selection)
        await _start(connection, operation_id, selected, rules, expected_count=expected_count, at=now)


async def revert_operation(connection: Connection, operation_id: str, *, by: str, reason: str) -> None:
    """Start to take an operation back. The same request again changes nothing.

    Raises:
        UnknownOperationError: there is no such operation.
        OperationRefusedError: the operation was never applied.
    """
    locked = await operations.lock(connection, operation_id)
    if locked is None:
        raise UnknownOperationError(operation_id)
    if starts_to_revert(locked[0]):
        await operations.insert_reason(connection, operation_id, "revert", reason)
        await operations.start_to_revert(connection, operation_id, by=by, at=clock.now())


async def _start(
    connection: Connection,
    operation_id: str,
    selection: Selection,
    rules: OperationRules,
    *,
    expected_count: int,
    at: datetime,
) -> None:
    """Freeze the selection: from now on the operation is about these exceptions, whatever changes."""
    condition = exception_selection.condition(selection, Reading(at, rules.targets))
    selected = await operations.freeze(connection, operation_id, condition)
    require_count(selected.count, expected_count)
    await operations.start(connection, operation_id, selected, at=at)


async def _require_known(connection: Connection, selection: Selection) -> None:
    if selection.ids is None:
        return
    unknown = await exception_selection.first_unknown(connection, selection.ids)
    if unknown is not None:
        raise UnknownExceptionError(unknown)


def _candidate(row: SelectedException | UnreadableRow) -> Candidate:
    if isinstance(row, UnreadableRow):
        return Candidate(row.id, None, problem=row.problem)
    return Candidate(row.state.id, row.state, row.title, row.amount)


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()
