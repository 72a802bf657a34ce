"""Response bodies of causes, over HTTP and on the command line (REC-9a)."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_rows
from reconciler.adapters.exception_groups import GroupRecord, RunReference
from reconciler.domain.classify import SEVERITIES


class RunReferenceItem(TypedDict):
    """A run and when it began."""

    id: str
    started_at: datetime


GroupItem = TypedDict(
    "GroupItem",
    {
        "cause": str,
        "type": str,
        "class": str | None,
        "line": str | None,
        "sign": int | None,
        "rate_card": str | None,
        "engine": str | None,
        "severity": str,
        "count": int,
        "sums": dict[str, int],
        "first_bad_run": RunReferenceItem | None,
        "last_good_run": RunReferenceItem | None,
        "first_seen_at": datetime,
        "last_seen_at": datetime,
    },
)
# `cause` is the filter's member. `severity` is the highest of the group. `sums` are signed, in minor units by
# currency. `first_bad_run` first saw one of the exceptions; `last_good_run` is the complete run before it.


class GroupSummary(TypedDict):
    """Counts over all pages."""

    groups: int
    total: int


class GroupPage(TypedDict):
    """Groups, most at stake first."""

    items: list[GroupItem | UnreadableItem]
    summary: GroupSummary
    next_cursor: str | None


def group_items(rows: Sequence[GroupRecord | UnreadableRow]) -> list[GroupItem | UnreadableItem]:
    """Return groups as items; a damaged one is marked."""
    return show_rows(rows, _item, GroupItem, key=lambda group: group.cause)


def _item(group: GroupRecord) -> GroupItem:
    return {
        "cause": group.cause,
        "type": group.type,
        "class": group.drift_class,
        "line": group.line,
        "sign": group.sign,
        "rate_card": group.rate_card,
        "engine": group.engine,
        "severity": SEVERITIES[group.severity_rank - 1],
        "count": group.exceptions,
        "sums": group.sums,
        "first_bad_run": _run(group.first_bad_run),
        "last_good_run": _run(group.last_good_run),
        "first_seen_at": group.first_seen_at,
        "last_seen_at": group.last_seen_at,
    }


def _run(run: RunReference | None) -> RunReferenceItem | None:
    return None if run is None else {"id": run.id, "started_at": run.started_at}
