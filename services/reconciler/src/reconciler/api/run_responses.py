"""Response bodies of runs, for HTTP and the command line. Class names are schema names in OpenAPI."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypedDict, cast

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_rows
from reconciler.adapters.run_findings import FindingRecord
from reconciler.adapters.run_queries import RunRecord
from reconciler.api.responses import Summary


class SumsItem(TypedDict):
    """Amounts of all bookings evaluated in one currency, in minor units; drift = recomputed - snapshot."""

    snapshot: int
    recomputed: int
    charged: int
    drift: int


class ProgressItem(TypedDict):
    """Progress of a run that has begun. `estimated_percent` is an estimate of the database's planner."""

    checked: int
    per_second: int | None
    estimated_percent: int | None


class RunItem(TypedDict):
    """A run. scanned = clean + drifted + skipped + errored; one that found drift has completed."""

    id: str
    status: str
    trigger: str
    slot: datetime | None
    scope: str
    dry_run: bool
    requested_by: str
    requested_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    scanned: int
    clean: int
    drifted: int
    skipped: int
    errored: int
    sums: dict[str, SumsItem]
    progress: ProgressItem | None
    cancelled_by: str | None
    cancel_requested_at: datetime | None
    error: str | None


class RunPage(TypedDict):
    """Runs, newest request first."""

    items: list[RunItem | UnreadableItem]
    next_cursor: str | None


FindingItem = TypedDict(
    "FindingItem",
    {
        "id": str,
        "type": str,
        "class": str | None,
        "severity": str,
        "booking_id": str | None,
        "title": str,
        "currency": str | None,
        "amount": int | None,
        "waiting": str | None,
        "explanation": dict[str, Any],
        "exception_id": str | None,
        "exception_status": str | None,
    },
)
# `exception_id` is that of the exception about the same problem; null if a run would open one. `waiting` says
# what the finding waits for; null if a person has to act. `amount` is in minor units.


class FindingPage(TypedDict):
    """Findings of a dry run, high first."""

    items: list[FindingItem | UnreadableItem]
    summary: Summary
    next_cursor: str | None


def run_items(runs: Sequence[RunRecord | UnreadableRow]) -> list[RunItem | UnreadableItem]:
    """Return runs as items; a damaged one is marked."""
    return show_rows(runs, run_item, RunItem, key=lambda run: run.id)


def run_item(run: RunRecord) -> RunItem:
    columns = asdict(run)
    columns["dry_run"] = columns.pop("is_dry_run")
    return cast("RunItem", columns)


def finding_items(rows: Sequence[FindingRecord | UnreadableRow]) -> list[FindingItem | UnreadableItem]:
    """Return findings as items; a damaged one is marked."""
    return show_rows(rows, finding_item, FindingItem, key=lambda row: row.id)


def finding_item(row: FindingRecord) -> FindingItem:
    columns = asdict(row)
    del columns["position"]
    columns["class"] = columns.pop("drift_class")
    return cast("FindingItem", columns)
