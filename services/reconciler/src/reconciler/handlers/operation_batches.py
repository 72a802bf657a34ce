"""Work on bulk operations, one batch per transaction: a killed process loses and doubles no step (REC-9b)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis import clock
from chassis.messaging import outbox
from chassis.messaging.failures import classify
from chassis.observability.redaction import loggable
from chassis.postgres import Connection, Database
from contracts.text import sanitize_for_postgres
from reconciler.adapters import exception_history, exceptions, operations
from reconciler.adapters.operation_rows import OperationWork
from reconciler.domain.operation_steps import Attempt, as_reverted, attempt, step_request, taking_back
from reconciler.domain.operations import OperationStatus, Outcome
from reconciler.domain.step_requests import StepContext, StepRequest
from reconciler.handlers.exception_steps import Change, write
from reconciler.handlers.outgoing_events import operation_finished

BATCH_ITEMS_MAX = 200
# A batch that failed is worked on one by one, and an exception that fails so often is set aside as refused.
ITEM_ATTEMPTS_MAX = 3
ERROR_CHARACTERS_MAX = 500

_NO_EXCEPTION = "there is no such exception"


@dataclass(frozen=True, slots=True)
class Worked:
    """What one batch did.

    Attributes:
        outcomes: of the batch's exceptions.
        ended: status in which the operation ended with this batch; None while there is more to do.
    """

    operation_id: str
    outcomes: Mapping[Outcome, int]
    ended: OperationStatus | None = None


class BatchFailedError(Exception):
    """A batch failed and was rolled back; the operation's row says why. It is tried again."""


async def work_batch(
    database: Database, *, second_person_above: int | None, items_max: int = BATCH_ITEMS_MAX
) -> Worked | None:
    """Work on the next batch of the operation whose turn it is; None if there is nothing to do.

    Raises:
        BatchFailedError: the batch failed.
    """
    work: OperationWork | None = None
    try:
        async with database.transaction() as connection:
            work = await operations.claim(connection)
            if work is None:
                return None
            return await _work(connection, work, second_person_above, items_max)
    except Exception as error:
        if work is None:
            raise
        await _note(database, work, error)
        raise BatchFailedError(f"operation {work.id}: {loggable(error)}") from error


async def _work(
    connection: Connection, work: OperationWork, second_person_above: int | None, items_max: int
) -> Worked:
    items = await operations.next_items(connection, work, rows_max=items_max if work.attempts == 0 else 1)
    if not items:
        ended: OperationStatus = "reverted" if work.takes == "stepped" else "applied"
        await _finish(connection, work, ended, error=None)
        return Worked(work.id, {}, ended)
    try:
        request = _request(work, second_person_above)
    except ValueError as error:
        await _finish(connection, work, "failed", error=_line(error))
        return Worked(work.id, {}, "failed")
    if work.attempts > ITEM_ATTEMPTS_MAX:
        given_up = Attempt("refused", f"given up after {work.attempts} attempts: {work.error}")
        decided = [(items[0], _closed(work, given_up))]
    else:
        decided = await _step(connection, work, items, request)
    return Worked(work.id, await operations.decide(connection, work, decided, at=clock.now()))


async def _step(
    connection: Connection, work: OperationWork, items: Sequence[str], request: StepRequest
) -> list[tuple[str, Attempt]]:
    """Take the steps of a batch, and return the outcome of each of its exceptions."""
    states = {state.id: state for state in await exceptions.lock(connection, items)}
    evidence = await exceptions.next_evidence(connection)
    last_steps = await exception_history.last_steps(connection, items)
    now = clock.now()
    decided: list[tuple[str, Attempt]] = []
    changes: list[Change] = []
    for exception_id in items:
        state = states.get(exception_id)
        if state is None:
            decided.append((exception_id, _closed(work, Attempt("refused", _NO_EXCEPTION))))
            continue
        tried = attempt(StepContext(state, evidence, last_steps.get(exception_id)), request, at=now)
        if tried.decision is not None:
            changes.append(Change(state, tried.decision, is_persons=True))
        decided.append((exception_id, _closed(work, tried)))
    await write(connection, changes, at=now, operation_id=work.id)
    return decided


def _request(work: OperationWork, second_person_above: int | None) -> StepRequest:
    if work.takes == "stepped":
        return taking_back(work.action, work.by, work.text, operation_id=work.id)
    return step_request(work.planned, second_person_above=second_person_above)


def _closed(work: OperationWork, tried: Attempt) -> Attempt:
    return as_reverted(tried) if work.takes == "stepped" else tried


async def _finish(
    connection: Connection, work: OperationWork, status: OperationStatus, *, error: str | None
) -> None:
    now = clock.now()
    end = await operations.finish(connection, work.id, status, error=error, at=now)
    await outbox.append(connection, [operation_finished(work.id, work.action, status, end, at=now)])


async def _note(database: Database, work: OperationWork, error: Exception) -> None:
    """Store why a batch failed. A failure of the whole database, or a lock, is not the batch's fault."""
    counts = classify(error).may_set_aside
    async with database.transaction() as connection:
        await operations.note_failure(connection, work.id, _line(error), counts=counts, at=clock.now())


def _line(error: Exception) -> str:
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return sanitize_for_postgres(line[:ERROR_CHARACTERS_MAX])
