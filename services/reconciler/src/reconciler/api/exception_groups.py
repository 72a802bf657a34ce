"""Route of causes: exceptions grouped by what they share (REC-9a)."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from litestar import get
from litestar.di import NamedDependency

from chassis import clock
from chassis.http.openapi.problems import refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableItem, UnreadableRow, show_rows
from reconciler.adapters.exception_groups import GroupRecord, RunReference
from reconciler.api.exception_filter import SELECTION_REFUSALS
from reconciler.api.filters import Cursor, Limit, parse_group_cursor
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.filters import ExceptionFilter
from reconciler.handlers import queries


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


@get(
    "/api/exception-groups",
    summary="Exceptions by cause, most at stake first",
    opt=refuses({**SELECTION_REFUSALS, **READ_REFUSALS}),
)
async def list_exception_groups(
    searches: NamedDependency[Database],
    targets: NamedDependency[Targets],
    selected: NamedDependency[ExceptionFilter],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> GroupPage:
    """Group the exceptions of the filter by type, class, line, sign, rate card and engine version."""
    of = ("exception-groups", selected)
    groups = await queries.list_groups(
        searches,
        selected,
        Reading(clock.now(), targets),
        after=parse_group_cursor(cursor, of),
        rows_max=limit + 1,
    )
    rows = page(groups.rows, limit=limit, key=_key, of=of)
    return {
        "items": group_items(rows["items"]),
        "summary": {"groups": groups.groups, "total": groups.exceptions},
        "next_cursor": rows["next_cursor"],
    }


def group_items(rows: Sequence[GroupRecord | UnreadableRow]) -> list[GroupItem | UnreadableItem]:
    """Return groups as items; a damaged one is marked."""
    return show_rows(rows, _item, GroupItem, key=lambda group: group.cause)


def _key(row: GroupRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else row.position.to_key()


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
