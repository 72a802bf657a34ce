"""Response bodies of sweeps, over HTTP and on the command line."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TypedDict, cast

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_row, show_rows
from reconciler.adapters.sweep_queries import SweepFound, SweepRecord


class SweepItem(TypedDict):
    """A sweep of Stripe's lists. seen = known + pending + missed counts events, compared counts objects."""

    id: str
    status: str
    trigger: str
    slot: datetime | None
    since: datetime | None
    dry_run: bool
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    events_since: datetime | None
    until: datetime | None
    step: str | None
    seen: int
    known: int
    pending: int
    missed: int
    compared: int
    mismatches: int
    requests: int
    error: str | None


class SweepFoundItem(TypedDict):
    """One thing that a sweep has found: a missed event, or money that is counted differently."""

    type: str
    severity: str
    booking_id: str | None
    object_id: str
    title: str


class SweepDetail(SweepItem):
    """A sweep and what it has found, up to 1000."""

    found: list[SweepFoundItem]


class SweepPage(TypedDict):
    """Sweeps, newest request first."""

    items: list[SweepItem | UnreadableItem]
    next_cursor: str | None


def sweep_item(sweep: SweepRecord) -> SweepItem:
    return cast("SweepItem", asdict(sweep))


def sweep_items(sweeps: Sequence[SweepRecord | UnreadableRow]) -> list[SweepItem | UnreadableItem]:
    """Return sweeps as items; a damaged one is marked."""
    return show_rows(sweeps, sweep_item, SweepItem, key=lambda sweep: sweep.id)


def sweep_detail(sweep: SweepRecord, found: Sequence[SweepFound]) -> SweepDetail:
    """Return a sweep with what it has found.

    Raises:
        UnreadableRowError: the sweep's row is damaged.
    """
    item = show_row(sweep, sweep_item, SweepItem, key=lambda sweep: sweep.id)
    return {**item, "found": [cast("SweepFoundItem", asdict(each)) for each in found]}
