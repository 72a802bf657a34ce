"""Response bodies (interface.md) of HTTP and the command line. Class names are schema names in OpenAPI."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypedDict, cast

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_row, show_rows
from reconciler.adapters.exception_queries import ExceptionEventRecord, ExceptionRecord

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
        "version": int,
        "assignee": str | None,
        "first_seen_at": datetime,
        "last_seen_at": datetime,
        "resolved_at": datetime | None,
        "resolution": str | None,
    },
)
# `class` is that of a pricing drift, else null. `explanation` has lines and totals in minor units.


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
    rows: Sequence[ExceptionRecord | UnreadableRow],
) -> list[ExceptionItem | UnreadableItem]:
    """Return exceptions as items; a damaged one is marked."""
    return show_rows(rows, exception_item, ExceptionItem, key=lambda row: row.id)


def exception_detail(
    row: ExceptionRecord, steps: Sequence[ExceptionEventRecord | UnreadableRow]
) -> ExceptionDetail:
    """Return an exception with its history; a damaged entry of the history is marked.

    Raises:
        UnreadableRowError: the exception's own row is damaged.
    """
    history = show_rows(steps, step_item, ExceptionStepItem, key=lambda step: step.id)
    return {**show_row(row, exception_item, ExceptionItem, key=lambda row: row.id), "history": history}


def exception_item(row: ExceptionRecord) -> ExceptionItem:
    columns = asdict(row)
    del columns["position"]
    return cast("ExceptionItem", {**columns, "class": columns.pop("drift_class")})


def step_item(step: ExceptionEventRecord) -> ExceptionStepItem:
    return cast("ExceptionStepItem", asdict(step))
