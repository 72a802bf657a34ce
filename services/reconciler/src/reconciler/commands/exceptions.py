"""The command `exceptions`: what a person must look at."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from chassis import clock
from chassis.http.paging import PAGE_ROWS_DEFAULT
from chassis.postgres.stored_rows import UnreadableItem
from chassis.process.command_line import CommandError
from chassis.process.environment import load_settings
from chassis.process.terminal import printable
from reconciler.api.responses import ExceptionItem, exception_items
from reconciler.commands.console import AsJson, Limit, OpenDatabase, print_result, query
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.clocks import Reading
from reconciler.domain.exceptions import EXCEPTION_STATUSES
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.findings import EXCEPTION_TYPES
from reconciler.handlers import queries
from reconciler.settings import OfflineSettings


def add_exceptions(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the command to the reconciler's command line."""

    @cli.command()
    def exceptions(
        *,
        kind: Annotated[str | None, typer.Option("--type", help="E.g. pricing_drift.")] = None,
        status: Annotated[str | None, typer.Option(help="open, acknowledged or resolved.")] = None,
        severity: Annotated[str | None, typer.Option(help="high, medium or low.")] = None,
        limit: Limit = PAGE_ROWS_DEFAULT,
        as_json: AsJson = False,
    ) -> None:
        """List exceptions: what a person must look at, high first, then oldest.

        Reads RECONCILER_POSTGRES_DSN.
        """
        wanted = ExceptionFilter(
            type=_parse("--type", kind, EXCEPTION_TYPES),
            status=_parse("--status", status, EXCEPTION_STATUSES),
            severity=_parse("--severity", severity, SEVERITIES),
        )
        reading = Reading(clock.now(), load_settings(OfflineSettings).targets)
        listed = query(
            open_database,
            lambda database: queries.list_exceptions(database, wanted, reading, after=None, rows_max=limit),
        )
        summary = {"total": listed.total, "by_type": listed.by_type, "by_severity": listed.by_severity}
        items = exception_items(listed.rows, reading)
        print_result({"exceptions": items, "summary": summary}, _table(items, listed.total), as_json=as_json)


def _parse(option: str, value: str | None, allowed: Sequence[str]) -> str | None:
    if value is not None and value not in allowed:
        raise CommandError(f"{option} {value}: choose one of {', '.join(allowed)}")
    return value


def _table(items: Sequence[ExceptionItem | UnreadableItem], total: int) -> Table:
    booking = Column("booking", no_wrap=True)
    table = Table("severity", "type", "status", booking, "seen", "title", box=SIMPLE)
    for item in items:
        # Text and printable: a sender's text is no markup and does not steer the terminal.
        table.add_row(*(Text(printable(cell)) for cell in _cells(item)))
    table.caption = f"{total} in all"
    return table


def _cells(item: ExceptionItem | UnreadableItem) -> Sequence[str]:
    if "unreadable" in item:
        return "", "", "", item["id"], "", f"(exception's id) unreadable: {item['unreadable']}"
    kind = f"{item['type']} ({item['class']})" if item["class"] else item["type"]
    seen = str(item["occurrences"])
    return item["severity"], kind, item["status"], item["booking_id"] or "", seen, item["title"]
