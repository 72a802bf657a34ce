"""The commands `operations …`: bulk operations as a table, and one with the outcomes of its exceptions."""

from collections.abc import Sequence
from typing import Annotated

import typer

from chassis import clock
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters.operation_queries import OperationRecord
from reconciler.api.operation_responses import operation_items
from reconciler.commands.bulk import add_bulk
from reconciler.commands.console import AsJson, Limit, OpenDatabase, choice, print_result, query
from reconciler.commands.operation_output import (
    SHOWN_FIRST,
    Id,
    operation_table,
    parse_operation_id,
    print_operation,
)
from reconciler.domain.operations import OPERATION_STATUSES, OUTCOMES
from reconciler.handlers import operation_queries

HELP = """Bulk operations on exceptions, newest first.

\b
One step on all exceptions of a filter:
  reconciler exceptions groups --where status=open        which causes there are
  reconciler operations plan resolve --as fixed --reason "corrected" --where cause=CAUSE
  reconciler operations apply ID --expect 117 --token TOKEN
  reconciler operations revert ID --reason "wrong cause"

\b
What became of it:
  reconciler operations                       which there are
  reconciler operations show ID               one, with the exceptions that were refused
  reconciler operations show ID --outcome stepped

Reads RECONCILER_POSTGRES_DSN.
"""

Status = Annotated[str | None, typer.Option(help=f"{', '.join(OPERATION_STATUSES)}.")]
Shown = Annotated[str | None, typer.Option("--outcome", help=f"{', '.join(OUTCOMES)}.")]


def add_operations(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the commands to the reconciler's command line."""
    group = typer.Typer(help=HELP, invoke_without_command=True, no_args_is_help=False)
    _add_list(group, open_database)
    _add_show(group, open_database)
    add_bulk(group, open_database)
    cli.add_typer(group, name="operations")


def _add_list(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.callback()
    @group.command("list", help="List operations, as without a command.")
    def list_operations(
        context: typer.Context,
        *,
        status: Status = None,
        limit: Limit = PAGE_ROWS_DEFAULT,
        as_json: AsJson = False,
    ) -> None:
        if context.invoked_subcommand is not None:
            return
        if status is not None:
            choice("--status", status, OPERATION_STATUSES)

        async def read(database: Database) -> tuple[Sequence[OperationRecord | UnreadableRow], int]:
            rows = await operation_queries.list_operations(
                database, before=None, status=status, rows_max=limit
            )
            return rows, await operation_queries.count_operations(database, status)

        rows, total = query(open_database, read)
        items = operation_items(rows, at=clock.now())
        table = operation_table(items)
        table.count(len(items), total, "operations")
        print_result({"items": items}, table, as_json=as_json)


def _add_show(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.command(help="Show one operation, and exceptions of it.")
    def show(
        operation_id: Id,
        *,
        outcome: Shown = None,
        limit: Limit = PAGE_ROWS_DEFAULT,
        as_json: AsJson = False,
    ) -> None:
        outcomes = SHOWN_FIRST if outcome is None else (choice("--outcome", outcome, OUTCOMES),)
        print_operation(open_database, parse_operation_id(operation_id), outcomes, limit, as_json=as_json)
