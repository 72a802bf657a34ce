"""Response bodies of exceptions (interface.md), over HTTP and on the command line."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypedDict, cast

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_row, show_rows
from reconciler.adapters.exception_queries import ExceptionEventRecord, ExceptionRecord
from reconciler.domain.clocks import Reading, due
from reconciler.domain.exceptions import Proposal, Resolution, Suppression


class MoneyItem(TypedDict):
    """An amount in minor units of its currency."""

    amount: int
    currency: str


class SuppressionItem(TypedDict):
    """When a suppressed exception wakes: at the first of these."""

    until: datetime | None
    beyond: int | None
    occurrences: int | None


class ResolutionItem(TypedDict):
    """How an exception was resolved; it holds up to a size in minor units, if `up_to` is set."""

    code: str
    by: str
    at: datetime
    by_machine: bool
    up_to: int | None


class ProposalItem(TypedDict):
    """A resolution that waits for a second person."""

    code: str
    by: str
    up_to: int | None


class ClockItem(TypedDict):
    """When an exception is due. The times are null while its clock stands still, and once they are met."""

    acknowledge_due_at: datetime | None
    resolve_due_at: datetime | None
    overdue: bool


ExceptionItem = TypedDict(
    "ExceptionItem",
    {
        "id": str,
        "type": str,
        "class": str | None,
        "severity": str,
        "status": str,
        "booking_id": str | None,
        "title": str,
        "explanation": dict[str, Any],
        "occurrences": int,
        "revision": int,
        "assignee": str | None,
        "first_seen_at": datetime,
        "last_seen_at": datetime,
        "resolved_at": datetime | None,
        "resolution": str | None,
        "version": int,
        "amount": MoneyItem | None,
        "cause": str,
        "waiting": str | None,
        "regressions": int,
        "escalated_at": datetime | None,
        "suppression": SuppressionItem | None,
        "proposal": ProposalItem | None,
        "resolution_details": ResolutionItem | None,
        "clock": ClockItem,
    },
)
# `class` is that of a pricing drift, else null. `explanation` has lines and totals in minor units.
# `amount` is what is at stake, signed. `cause` is the key of the exceptions with the same cause.


class ExceptionStepItem(TypedDict):
    """One entry of an exception's history; the explanation is as it was then.

    `details` is what the step set. `version` is the exception's after the step; null in old entries.
    """

    id: str
    kind: str
    revision: int
    version: int | None
    actor: str
    reason: str
    reason_erased: bool
    details: dict[str, Any] | None
    run_id: str | None
    operation_id: str | None
    explanation: dict[str, Any]
    recorded_at: datetime


class ExceptionDetail(ExceptionItem):
    """An exception and its history, oldest first."""

    history: list[ExceptionStepItem | UnreadableItem]


class Summary(TypedDict):
    """Counts of all exceptions that match the filter, on all pages."""

    total: int
    by_type: dict[str, int]
    by_severity: dict[str, int]


class ExceptionPage(TypedDict):
    """Exceptions, high first, then oldest first."""

    exceptions: list[ExceptionItem | UnreadableItem]
    summary: Summary
    next_cursor: str | None


def exception_items(
    rows: Sequence[ExceptionRecord | UnreadableRow], reading: Reading
) -> list[ExceptionItem | UnreadableItem]:
    """Return exceptions as items; a damaged one is marked."""
    return show_rows(rows, lambda row: exception_item(row, reading), ExceptionItem, key=lambda row: row.id)


def exception_detail(
    row: ExceptionRecord, steps: Sequence[ExceptionEventRecord | UnreadableRow], reading: Reading
) -> ExceptionDetail:
    """Return an exception with its history; a damaged entry of the history is marked.

    Raises:
        UnreadableRowError: the exception's own row is damaged.
    """
    history = show_rows(steps, step_item, ExceptionStepItem, key=lambda step: step.id)
    item = show_row(row, lambda row: exception_item(row, reading), ExceptionItem, key=lambda row: row.id)
    return {**item, "history": history}


def exception_item(row: ExceptionRecord, reading: Reading) -> ExceptionItem:
    state, workflow = row.state, row.state.workflow
    resolution = workflow.resolution
    times = due(state.clock, state.severity, reading)
    return {
        "id": state.id,
        "type": state.type,
        "class": row.drift_class,
        "severity": state.severity,
        "status": state.status,
        "booking_id": state.booking_id,
        "title": row.title,
        "explanation": row.explanation,
        "occurrences": state.occurrences,
        "revision": state.revision,
        "assignee": workflow.assignee,
        "first_seen_at": row.first_seen_at,
        "last_seen_at": row.last_seen_at,
        "resolved_at": None if resolution is None else resolution.at,
        "resolution": None if resolution is None else resolution.code,
        "version": state.version,
        "amount": _money(row),
        "cause": row.cause,
        "waiting": state.waiting,
        "regressions": state.regressions,
        "escalated_at": state.escalated_at,
        "suppression": None if workflow.suppression is None else _suppression(workflow.suppression),
        "proposal": None if workflow.proposal is None else _proposal(workflow.proposal),
        "resolution_details": None if resolution is None else _resolution(resolution),
        "clock": {
            "acknowledge_due_at": times.acknowledge_at,
            "resolve_due_at": times.resolve_at,
            "overdue": times.is_overdue,
        },
    }


def _money(row: ExceptionRecord) -> MoneyItem | None:
    currency = row.state.currency
    return None if row.amount is None or currency is None else {"amount": row.amount, "currency": currency}


def _resolution(resolution: Resolution) -> ResolutionItem:
    return {
        "code": resolution.code,
        "by": resolution.by,
        "at": resolution.at,
        "by_machine": resolution.is_machine,
        "up_to": resolution.up_to,
    }


def _suppression(suppression: Suppression) -> SuppressionItem:
    return {
        "until": suppression.until,
        "beyond": suppression.beyond,
        "occurrences": suppression.occurrences,
    }


def _proposal(proposal: Proposal) -> ProposalItem:
    return {"code": proposal.code, "by": proposal.by, "up_to": proposal.up_to}


def step_item(step: ExceptionEventRecord) -> ExceptionStepItem:
    return cast("ExceptionStepItem", asdict(step))
