"""Response bodies of bulk operations, over HTTP and on the command line (REC-9b)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_row, show_rows
from reconciler.adapters.operation_queries import OperationItemRecord, OperationRecord
from reconciler.api.responses import MoneyItem
from reconciler.domain.operation_plan import Forecast
from reconciler.handlers.operations import DryRun

_MOMENT = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


class OutcomeCounts(TypedDict):
    """Number of exceptions by outcome; they add up to the operation's `count`."""

    pending: int
    stepped: int
    unchanged: int
    refused: int
    reverted: int
    not_reverted: int


class OperationProgress(TypedDict):
    """How far an operation has come. Taking it back begins at 0 again.

    `per_second` is null before the start.
    """

    done: int
    total: int
    per_second: int | None


class OperationItem(TypedDict):
    """A bulk operation.

    `count`, `sums` (signed minor units by currency) and `without_amount` are those of the dry run; once
    started, those of the exceptions that the operation works on. `filter` is null if ids were selected.
    """

    id: str
    action: str
    arguments: dict[str, Any]
    filter: dict[str, Any] | None
    reason: str | None
    reason_erased: bool
    actor: str
    status: str
    count: int
    sums: dict[str, int]
    without_amount: int
    outcomes: OutcomeCounts
    progress: OperationProgress
    token_expires_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    reverted_by: str | None
    revert_reason: str | None
    revert_started_at: datetime | None
    revert_finished_at: datetime | None
    error: str | None


class OperationPage(TypedDict):
    """Operations, newest first."""

    items: list[OperationItem | UnreadableItem]
    next_cursor: str | None


class SampleItem(TypedDict):
    """An exception of a dry run, and what would become of it.

    `outcome` is `stepped`, `unchanged` or `refused`; `detail` says why.
    """

    exception_id: str
    booking_id: str | None
    title: str
    severity: str | None
    status: str | None
    amount: MoneyItem | None
    outcome: str
    detail: str


class ForecastCounts(TypedDict):
    """Number of exceptions by the outcome that they would have now."""

    stepped: int
    unchanged: int
    refused: int


class PlanItem(TypedDict):
    """What a dry run tells: the outcomes that applying would have now, and up to ten exceptions.

    Those that would be refused are shown first.
    """

    outcomes: ForecastCounts
    sample: list[SampleItem]
    selection_token: str
    token_expires_at: datetime


class PlannedOperation(OperationItem):
    """A new operation; `plan` is null if it was not a dry run."""

    plan: PlanItem | None


class OperationExceptionItem(TypedDict):
    """An exception of an operation: the outcome, why, and what the exception is now.

    `version` is the exception's after the operation's last step.
    """

    exception_id: str
    outcome: str
    detail: str | None
    version: int | None
    decided_at: datetime | None
    booking_id: str | None
    title: str | None
    status: str | None
    amount: MoneyItem | None


class OperationExceptionPage(TypedDict):
    """Exceptions of an operation, by id."""

    items: list[OperationExceptionItem | UnreadableItem]
    next_cursor: str | None


def operation_items(
    rows: Sequence[OperationRecord | UnreadableRow], *, at: datetime
) -> list[OperationItem | UnreadableItem]:
    """Return operations as items; a damaged one is marked."""
    return show_rows(rows, lambda row: _operation(row, at), OperationItem, key=lambda row: row.id)


def operation_item(row: OperationRecord, *, at: datetime) -> OperationItem:
    """Return an operation as it is at a time.

    Raises:
        UnreadableRowError: the row is damaged.
    """
    return show_row(row, lambda row: _operation(row, at), OperationItem, key=lambda row: row.id)


def planned_operation(row: OperationRecord, dry_run: DryRun | None, *, at: datetime) -> PlannedOperation:
    """Return a new operation, with its plan after a dry run."""
    return {**operation_item(row, at=at), "plan": None if dry_run is None else _plan(dry_run)}


def operation_exceptions(
    rows: Sequence[OperationItemRecord | UnreadableRow],
) -> list[OperationExceptionItem | UnreadableItem]:
    """Return the exceptions of an operation as items; a damaged one is marked."""
    return show_rows(rows, _exception, OperationExceptionItem, key=lambda row: row.exception_id)


def _operation(row: OperationRecord, at: datetime) -> OperationItem:
    columns = asdict(row)
    counts = columns.pop("counts")
    columns["filter"] = columns.pop("query")
    columns["count"] = columns.pop("planned_count")
    return cast("OperationItem", {**columns, "outcomes": counts, "progress": _progress(row, at)})


def _progress(row: OperationRecord, at: datetime) -> OperationProgress:
    counts = row.counts
    total, left, began, ended = row.planned_count, counts["pending"], row.started_at, row.finished_at
    if row.revert_started_at is not None:
        total = counts["stepped"] + counts["reverted"] + counts["not_reverted"]
        left, began, ended = counts["stepped"], row.revert_started_at, row.revert_finished_at
    done = total - left
    took = None if began is None else max((ended or at) - began, _MOMENT)
    return {"done": done, "total": total, "per_second": None if took is None else done * _SECOND // took}


def _plan(dry_run: DryRun) -> PlanItem:
    outcomes = dry_run.plan.outcomes
    return {
        "outcomes": {
            "stepped": outcomes.get("stepped", 0),
            "unchanged": outcomes.get("unchanged", 0),
            "refused": outcomes.get("refused", 0),
        },
        "sample": [_forecast(each) for each in dry_run.plan.sample],
        "selection_token": dry_run.token,
        "token_expires_at": dry_run.expires_at,
    }


def _forecast(forecast: Forecast) -> SampleItem:
    candidate, state = forecast.candidate, forecast.candidate.state
    return {
        "exception_id": candidate.id,
        "booking_id": None if state is None else state.booking_id,
        "title": candidate.title,
        "severity": None if state is None else state.severity,
        "status": None if state is None else state.status,
        "amount": _money(candidate.amount, None if state is None else state.currency),
        "outcome": forecast.attempt.outcome,
        "detail": forecast.attempt.detail,
    }


def _exception(row: OperationItemRecord) -> OperationExceptionItem:
    columns = asdict(row)
    amount = _money(columns.pop("amount"), columns.pop("currency"))
    return cast("OperationExceptionItem", {**columns, "amount": amount})


def _money(amount: int | None, currency: str | None) -> MoneyItem | None:
    return None if amount is None or currency is None else {"amount": amount, "currency": currency}
