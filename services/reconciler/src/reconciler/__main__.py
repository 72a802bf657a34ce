"""Command line of the reconciler."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from chassis.cli import add_migrate, add_serve, build_cli, run_cli
from chassis.dead_letters.operator.cli import add_dead_letters
from chassis.http.paging import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX
from chassis.postgres import DATABASE_ERRORS, Database
from chassis.postgres.stored_rows import UnreadableItem
from chassis.process.command_line import EXIT_NO, CommandError, database_failure
from chassis.process.environment import load_settings
from chassis.process.terminal import print_json, printable
from chassis.relay.cli import add_outbox
from pricing import InvalidRateCardError
from reconciler.adapters.run_queries import RunRecord
from reconciler.api.responses import ExceptionItem, RunItem, exception_items, run_item, run_items
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.exceptions import EXCEPTION_STATUSES
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.findings import EXCEPTION_TYPES
from reconciler.handlers import messages, queries
from reconciler.handlers.run_requests import request_run
from reconciler.handlers.run_waiting import NotQueuedError, wait_for_run
from reconciler.main import build, open_database
from reconciler.settings import SERVICE, OfflineSettings, ReconcilerSettings

ACTOR = "cli"
# Width of a table that is not written to a terminal.
PIPED_CHARACTERS = 200

ResultT = TypeVar("ResultT")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as over HTTP.")]
Limit = Annotated[int, typer.Option(min=1, max=PAGE_ROWS_MAX, help="How many at most.")]

cli = build_cli("Compares every stored price with a fresh computation and with what was charged.")
add_serve(cli, SERVICE, ReconcilerSettings, build)
add_migrate(cli, SERVICE, packages=["chassis", SERVICE])
add_dead_letters(cli, SERVICE, lambda: open_database(load_settings(OfflineSettings)), messages.apply)
add_outbox(cli, lambda: open_database(load_settings(OfflineSettings)))


@cli.command()
def run(
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run has ended.")] = False,
    fail_on_drift: Annotated[
        bool,
        typer.Option("--fail-on-drift", help="Wait. Exit with 1 if a booking drifted or errored."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Request a run; a running service executes it. Reads RECONCILER_POSTGRES_DSN."""
    requested = _query(lambda database: _request(database, wait=wait or fail_on_drift))
    _print(run_item(requested), _run_table([run_item(requested)]), as_json=as_json)
    if requested.status == "failed":
        raise CommandError(f"run {requested.id} failed: {requested.error}")
    if fail_on_drift and (requested.drifted or requested.errored):
        raise typer.Exit(EXIT_NO)


@cli.command()
def runs(*, limit: Limit = PAGE_ROWS_DEFAULT, as_json: AsJson = False) -> None:
    """List runs, newest first. Reads RECONCILER_POSTGRES_DSN."""
    items = run_items(_query(lambda database: queries.list_runs(database, before=None, rows_max=limit)))
    _print({"items": items}, _run_table(items), as_json=as_json)


@cli.command()
def exceptions(
    *,
    kind: Annotated[str | None, typer.Option("--type", help="E.g. pricing_drift.")] = None,
    status: Annotated[str | None, typer.Option(help="open, acknowledged or resolved.")] = None,
    severity: Annotated[str | None, typer.Option(help="high, medium or low.")] = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List exceptions: what a person must look at, high first, then oldest. Reads RECONCILER_POSTGRES_DSN."""
    query = ExceptionFilter(
        type=_parse("--type", kind, EXCEPTION_TYPES),
        status=_parse("--status", status, EXCEPTION_STATUSES),
        severity=_parse("--severity", severity, SEVERITIES),
    )
    listed = _query(lambda database: queries.list_exceptions(database, query, after=None, rows_max=limit))
    summary = {"total": listed.total, "by_type": listed.by_type, "by_severity": listed.by_severity}
    items = exception_items(listed.rows)
    _print(
        {"exceptions": items, "summary": summary},
        _exception_table(items, listed.total),
        as_json=as_json,
    )


def _parse(option: str, value: str | None, allowed: Sequence[str]) -> str | None:
    if value is not None and value not in allowed:
        raise CommandError(f"{option} {value}: choose one of {', '.join(allowed)}")
    return value


async def _request(database: Database, *, wait: bool) -> RunRecord:
    async with database.transaction() as connection:
        requested = await request_run(connection, trigger="cli", requested_by=ACTOR)
    return await wait_for_run(database, requested.id) if wait else requested


def _query(query: Callable[[Database], Awaitable[ResultT]]) -> ResultT:
    """Run a query against the database; an error becomes one line."""
    settings = load_settings(OfflineSettings)

    async def run_query() -> ResultT:
        database = open_database(settings)
        try:
            await database.start()
            return await query(database)
        finally:
            await database.stop()

    try:
        return asyncio.run(run_query())
    except NotQueuedError as error:
        raise CommandError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise database_failure("RECONCILER_POSTGRES_DSN", error) from error


def _print(data: Any, table: Table, *, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        Console(width=None if sys.stdout.isatty() else PIPED_CHARACTERS).print(table)


def _run_table(items: Sequence[RunItem | UnreadableItem]) -> Table:
    table = Table(Column("run", no_wrap=True), "status", "trigger", "requested", box=SIMPLE)
    counts = ("scanned", "clean", "drifted", "skipped", "errored")
    for name in counts:
        table.add_column(name, justify="right")
    for item in items:
        if "unreadable" in item:
            table.add_row(item["id"], Text(printable(f"unreadable: {item['unreadable']}")))
            continue
        requested = f"{item['requested_at']:%Y-%m-%d %H:%M:%S}Z"
        table.add_row(
            item["id"], item["status"], item["trigger"], requested, *(str(item[name]) for name in counts)
        )
    return table


def _exception_table(items: Sequence[ExceptionItem | UnreadableItem], total: int) -> Table:
    booking = Column("booking", no_wrap=True)
    table = Table("severity", "type", "status", booking, "seen", "title", box=SIMPLE)
    for item in items:
        # Text and printable: a sender's text is no markup and does not steer the terminal.
        table.add_row(*(Text(printable(cell)) for cell in _exception_cells(item)))
    table.caption = f"{total} in all"
    return table


def _exception_cells(item: ExceptionItem | UnreadableItem) -> Sequence[str]:
    if "unreadable" in item:
        return "", "", "", item["id"], "", f"(exception's id) unreadable: {item['unreadable']}"
    kind = f"{item['type']} ({item['class']})" if item["class"] else item["type"]
    seen = str(item["occurrences"])
    return item["severity"], kind, item["status"], item["booking_id"] or "", seen, item["title"]


def main() -> None:
    """Run the console script."""
    run_cli(cli, failures=[InvalidRateCardError])


if __name__ == "__main__":
    main()
