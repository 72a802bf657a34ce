"""The commands `exceptions …`: the queue as a table, one exception in full, and its steps."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from chassis import clock
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.postgres import Database
from chassis.process.local_stack import load_command_settings
from reconciler.adapters.exception_queries import ExceptionWithHistory
from reconciler.api.exception_chunks import export_chunks
from reconciler.api.group_responses import group_items
from reconciler.api.responses import exception_detail, exception_items
from reconciler.commands.console import AsJson, Limit, OpenDatabase, print_result, query
from reconciler.commands.exception_filters import Where, parse_filter, parse_where
from reconciler.commands.exception_steps import add_steps
from reconciler.commands.exception_tables import detail_tables, exception_table, group_table
from reconciler.domain.clocks import Reading
from reconciler.domain.exceptions import EXCEPTION_STATUSES
from reconciler.domain.filters import ExceptionFilter
from reconciler.handlers import queries
from reconciler.handlers.exception_lookup import AmbiguousIdError, UnknownExceptionError, find_exception
from reconciler.settings import SERVICE, OfflineSettings

HELP = """The exception queue: what a person must look at, high first, then oldest.

\b
A working day:
  reconciler exceptions --status open                what nobody has yet
  reconciler exceptions show 5bc1f2a0                one in full: amounts, lines, history
  reconciler exceptions acknowledge 5bc1f2a0         it is mine
  reconciler exceptions resolve 5bc1f2a0 --as accepted --up-to 200 --reason "rounding"
  reconciler exceptions groups                       causes that many share

An ID is an exception's id, or the end of it as the table shows it. Reads RECONCILER_POSTGRES_DSN.
"""

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of an exception, or its end.")]
Text = str | None
Type = Annotated[Text, typer.Option("--type", help="E.g. pricing_drift.")]
Class = Annotated[Text, typer.Option("--class", help="Of a pricing drift, e.g. charge_mismatch.")]
Status = Annotated[
    Text,
    typer.Option(help=f"{', '.join(EXCEPTION_STATUSES)}. Without it, the table leaves resolved ones out."),
]
Severity = Annotated[Text, typer.Option(help="high, medium or low.")]
Assignee = Annotated[Text, typer.Option(help="Who has it; `nobody`: not assigned.")]
Booking = Annotated[Text, typer.Option(metavar="ID", help="Of one booking.")]
Cause = Annotated[Text, typer.Option(help="Of one group of the same cause.")]
Part = Annotated[Text, typer.Option("--q", metavar="TEXT", help="Part of the title.")]
Waiting = Annotated[bool, typer.Option("--waiting", help="Those that may pass by themselves.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print all of them as CSV, for a spreadsheet.")]
Overdue = Annotated[bool, typer.Option("--overdue", help="Those whose time is over.")]


def add_exceptions(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the commands to the reconciler's command line."""
    group = typer.Typer(help=HELP, invoke_without_command=True, no_args_is_help=False)
    _add_list(group, open_database)
    _add_show(group, open_database)
    _add_groups(group, open_database)
    add_steps(group, open_database)
    cli.add_typer(group, name="exceptions")


def _add_list(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.callback()
    @group.command("list", help="List exceptions, as without a command.")
    def list_exceptions(
        context: typer.Context,
        *,
        kind: Type = None,
        class_: Class = None,
        status: Status = None,
        severity: Severity = None,
        assignee: Assignee = None,
        booking: Booking = None,
        cause: Cause = None,
        part: Part = None,
        waiting: Waiting = False,
        overdue: Overdue = False,
        limit: Limit = PAGE_ROWS_DEFAULT,
        as_json: AsJson = False,
        as_csv: AsCsv = False,
    ) -> None:
        if context.invoked_subcommand is not None:
            return
        chosen = _parse(
            type=kind,
            status=status,
            severity=severity,
            assignee=assignee,
            booking_id=booking,
            cause=cause,
            q=part,
            waiting="true" if waiting else None,
            overdue="true" if overdue else None,
            **{"class": class_},
        )
        if status is None and not (as_json or as_csv):
            # The queue is what is left to do. JSON and CSV say what HTTP says.
            chosen = replace(chosen, unresolved=True)
        reading = _reading()
        if as_csv:
            query(open_database, lambda database: _write_csv(database, chosen, reading))
            return
        listed = query(
            open_database,
            lambda database: queries.list_exceptions(database, chosen, reading, after=None, rows_max=limit),
        )
        summary = {"total": listed.total, "by_type": listed.by_type, "by_severity": listed.by_severity}
        items = exception_items(listed.rows, reading)
        table = exception_table(items, listed.total)
        print_result({"exceptions": items, "summary": summary}, table, as_json=as_json)


async def _write_csv(database: Database, chosen: ExceptionFilter, reading: Reading) -> None:
    pages = queries.export_exceptions(database, chosen, reading)
    async for chunk in export_chunks(pages, reading, "csv"):
        sys.stdout.buffer.write(chunk)
    sys.stdout.flush()


def _add_show(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.command(help="Show one exception in full: amounts, lines, what happened, what to do.")
    def show(exception_id: Id, *, as_json: AsJson = False) -> None:
        async def read(database: Database) -> ExceptionWithHistory:
            async with database.connection() as connection:
                return await find_exception(connection, exception_id)

        exception, steps = query(open_database, read, UnknownExceptionError, AmbiguousIdError)
        detail = exception_detail(exception, steps, _reading())
        print_result(detail, *detail_tables(detail), as_json=as_json)


def _add_groups(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.command(help="Exceptions by cause, most at stake first; `operations plan` works a cause off.")
    def groups(*, where: Where = None, limit: Limit = PAGE_ROWS_DEFAULT, as_json: AsJson = False) -> None:
        chosen, reading = parse_where(where), _reading()
        if not where:
            chosen = replace(chosen, unresolved=True)
        listed = query(
            open_database,
            lambda database: queries.list_groups(database, chosen, reading, after=None, rows_max=limit),
        )
        items = group_items(listed.rows)
        table = group_table(items, listed.groups)
        summary = {"groups": listed.groups, "total": listed.exceptions}
        print_result({"items": items, "summary": summary}, table, as_json=as_json)


def _reading() -> Reading:
    return Reading(clock.now(), load_command_settings(OfflineSettings, SERVICE).targets)


def _parse(**members: str | None) -> ExceptionFilter:
    given = {name: text for name, text in members.items() if text is not None}
    return parse_filter(given, lambda member: "--booking" if member == "booking_id" else f"--{member}")
