"""Write decided steps: exception, history and events, in the caller's transaction (REC-9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.messaging import outbox
from chassis.postgres import Connection
from contracts.metadata import MessageMetadata
from reconciler.adapters import exception_history, exceptions
from reconciler.adapters.exception_history import HistoryEntry
from reconciler.domain.decisions import Decision
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.findings import Finding
from reconciler.handlers.outgoing_events import exception_event


@dataclass(frozen=True, slots=True)
class Change:
    """A decision about an exception.

    Attributes:
        before: None for a new exception, whose row is inserted already.
        finding: what a run or a report has seen; None for other commands.
        is_persons: a person took the step, and can take it back.
    """

    before: ExceptionState | None
    decision: Decision
    finding: Finding | None = None
    is_persons: bool = False


async def write(
    connection: Connection,
    changes: Sequence[Change],
    *,
    at: datetime,
    run_id: str | None = None,
    operation_id: str | None = None,
    cause: MessageMetadata | None = None,
) -> None:
    """Write decisions: each exception's row, its history, and one event per step.

    Args:
        connection: in a transaction that holds the locks of the exceptions.
        changes: of distinct exceptions.
        at: time of the decisions.
        run_id: of the run that caused them.
        operation_id: of the bulk operation that caused them.
        cause: the message that caused them.
    """
    seen = [
        (change.decision.state.id, change.finding)
        for change in changes
        if change.before is not None and change.finding is not None and change.decision.state != change.before
    ]
    if seen:
        await exceptions.see(connection, seen, at=at, run_id=run_id)
    states = [
        change.decision.state
        for change in changes
        if change.before is not None and change.decision.state != change.before
    ]
    if states:
        await exceptions.update(connection, states)
    entries = [entry for change in changes for entry in _entries(change)]
    if not entries:
        return
    await exception_history.append(connection, entries, run_id=run_id, operation_id=operation_id)
    events = [
        event
        for change in changes
        for step in change.decision.steps
        if (event := exception_event(change.decision.state, step, change.finding, run_id or operation_id, at))
    ]
    if cause is not None:
        events = [outbox.caused_by(event, cause) for event in events]
    await outbox.append(connection, events)


def _entries(change: Change) -> list[HistoryEntry]:
    state, steps = change.decision.state, change.decision.steps
    first = state.version - len(steps) + 1
    before = change.before.workflow if change.is_persons and change.before is not None else None
    return [HistoryEntry(state.id, version, step, before) for version, step in enumerate(steps, start=first)]
