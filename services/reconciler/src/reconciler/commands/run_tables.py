"""Tables of runs, and of the findings of dry runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from chassis.postgres.stored_rows import UnreadableItem
from chassis.process.terminal import printable
from reconciler.api.run_responses import FindingItem, FindingPage, RunItem

_COUNTS = ("scanned", "clean", "drifted", "skipped", "errored")


def run_table(items: Sequence[RunItem | UnreadableItem]) -> Table:
    """Return runs as a table, with the time each took."""
    table = Table(Column("run", no_wrap=True), "status", "trigger", "scope", "requested", box=SIMPLE)
    for name in ("took", *_COUNTS):
        table.add_column(name, justify="right")
    for item in items:
        if "unreadable" in item:
            table.add_row(item["id"], Text(printable(f"unreadable: {item['unreadable']}")))
            continue
        requested = f"{item['requested_at']:%Y-%m-%d %H:%M:%S}Z"
        scope = f"{item['scope']}, dry run" if item["dry_run"] else item["scope"]
        table.add_row(
            item["id"],
            item["status"],
            item["trigger"],
            Text(printable(scope)),
            requested,
            _duration(item["started_at"], item["finished_at"]),
            *(str(item[name]) for name in _COUNTS),
        )
    return table


def finding_table(page: FindingPage) -> Table:
    """Return findings as a table. A finding without an exception would open one."""
    booking = Column("booking", no_wrap=True)
    table = Table("severity", "type", booking, "in the queue", "title", box=SIMPLE)
    for item in page["items"]:
        # Text and printable: a sender's text is no markup and does not steer the terminal.
        table.add_row(*(Text(printable(cell)) for cell in _finding_cells(item)))
    shown, total = len(page["items"]), page["summary"]["total"]
    table.caption = f"{total} findings" if shown == total else f"{shown} of {total} findings"
    return table


def _finding_cells(item: FindingItem | UnreadableItem) -> Sequence[str]:
    if "unreadable" in item:
        return "", "", item["id"], "", f"(finding's number) unreadable: {item['unreadable']}"
    kind = f"{item['type']} ({item['class']})" if item["class"] else item["type"]
    queued = item["exception_status"] or ("waits" if item["waiting"] else "new")
    return item["severity"], kind, item["booking_id"] or "", queued, item["title"]


def _duration(started: datetime | None, finished: datetime | None) -> str:
    if started is None or finished is None:
        return ""
    return str(timedelta(seconds=round((finished - started).total_seconds())))
