"""Tables of runs, and of the findings of dry runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chassis.postgres.stored_rows import UnreadableItem
from chassis.process.tables import Column, Table, number
from reconciler.api.run_responses import FindingItem, FindingPage, RunItem

# Place in the order in which the counts leave a narrow table.
_COUNTS = {"scanned": 0, "clean": 5, "drifted": 0, "skipped": 4, "errored": 0}


def run_table(items: Sequence[RunItem | UnreadableItem]) -> Table:
    """Return runs as a table, with the time each took."""
    table = Table(
        Column("run"),
        Column("status"),
        Column("trigger", leaves=1),
        Column("scope", leaves=3),
        Column("requested", leaves=2),
        Column("took", right=True, leaves=6),
        *(Column(name, right=True, leaves=leaves) for name, leaves in _COUNTS.items()),
        empty="no run has been requested yet; `reconciler run` requests one",
    )
    for item in items:
        if "unreadable" in item:
            table.add_damaged(item["id"], item["unreadable"])
            continue
        requested = f"{item['requested_at']:%Y-%m-%d %H:%M:%S}Z"
        counts = item["scanned"], item["clean"], item["drifted"], item["skipped"], item["errored"]
        scope = f"{item['scope']}, dry run" if item["dry_run"] else item["scope"]
        table.add(
            item["id"],
            item["status"],
            item["trigger"],
            scope,
            requested,
            _duration(item["started_at"], item["finished_at"]),
            *(number(count) for count in counts),
        )
    return table


def finding_table(page: FindingPage) -> Table:
    """Return findings as a table. A finding without an exception would open one."""
    table = Table(
        Column("severity"),
        Column("type", leaves=2),
        Column("booking"),
        Column("in the queue", leaves=1),
        Column("title", wraps=30),
        empty="the dry run found nothing: every booking is clean",
    )
    for item in page["items"]:
        if "unreadable" in item:
            table.add_damaged(f"finding {item['id']}", item["unreadable"])
        else:
            table.add(*_finding_cells(item))
    table.count(len(page["items"]), page["summary"]["total"], "findings")
    return table


def _finding_cells(item: FindingItem) -> Sequence[str]:
    kind = f"{item['type']} ({item['class']})" if item["class"] else item["type"]
    queued = item["exception_status"] or ("waits" if item["waiting"] else "new")
    return item["severity"], kind, item["booking_id"] or "", queued, item["title"]


def _duration(started: datetime | None, finished: datetime | None) -> str:
    if started is None or finished is None:
        return ""
    return str(timedelta(seconds=round((finished - started).total_seconds())))
