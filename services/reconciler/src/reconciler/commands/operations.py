"""The commands `operations …`: bulk operations as a table, and one with the outcomes of its exceptions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, get_args
from uuid import UUID

import typer

from chassis import clock
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow
from chassis.process.command_line import CommandError
from chassis.process.tables import Column, Table, number
from reconciler.adapters.operation_queries import OperationItemRecord, OperationRecord
from reconciler.api.operation_responses import (
    OperationExceptionItem,
    OperationItem,
    operation_exceptions,
    operation_item,
    operation_items,
)
from reconciler.commands.console import AsJson, Limit, OpenDatabase, print_result, query
from reconciler.domain.operations import OPERATION_STATUSES, Outcome
from reconciler.handlers import operation_queries
from reconciler.handlers.operations import UnknownOperationError

HELP = """Bulk operations on exceptions, newest first.

\b
  reconciler operations                       which there are
  reconciler operations show ID               one, with the exceptions that were refused
  reconciler operations show ID --outcome stepped

Reads RECONCILER_POSTGRES_DSN.
"""

_OUTCOMES = get_args(Outcome)
_SHOWN_FIRST = ("refused", "not_reverted")

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of an operation.")]
Status = Annotated[str | None, typer.Option(help=f"{', '.join(OPERATION_STATUSES)}.")]
Shown = Annotated[str | None, typer.Option("--outcome", help=f"{', '.join(_OUTCOMES)}.")]


def add_operations(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the commands to the reconciler's command line."""
    group = typer.Typer(help=HELP, invoke_without_command=True, no_args_is_help=False)
    _add_list(group, open_database)
    _add_show(group, open_database)
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
        _check("--status", status, OPERATION_STATUSES)

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
        _check("--outcome", outcome, _OUTCOMES)
        outcomes = _SHOWN_FIRST if outcome is None else (outcome,)

        async def read(
            database: Database,
        ) -> tuple[OperationRecord, list[OperationItemRecord | UnreadableRow]]:
            operation = await operation_queries.get_operation(database, _parse(operation_id))
            rows: list[OperationItemRecord | UnreadableRow] = []
            for each in outcomes:
                rows += await operation_queries.list_items(
                    database, operation.id, after=None, outcome=each, rows_max=limit
                )
            return operation, rows

        operation, rows = query(open_database, read, UnknownOperationError)
        item, items = operation_item(operation, at=clock.now()), operation_exceptions(rows)
        shown = exception_table(items, outcomes)
        shown.count(
            len(items),
            sum(count for name, count in operation.counts.items() if name in outcomes),
            "exceptions",
        )
        print_result({**item, "items": items}, operation_table([item]), shown, as_json=as_json)


def operation_table(items: Sequence[OperationItem | UnreadableItem]) -> Table:
    """Return operations as a table."""
    table = Table(
        Column("operation"),
        Column("status"),
        Column("action", leaves=4),
        Column("by", leaves=2),
        Column("created", leaves=1),
        Column("reason", wraps=20, leaves=3),
        Column("exceptions", wraps=20),
        empty="no bulk operation has been requested",
    )
    for item in items:
        if "unreadable" in item:
            table.add_damaged(item["id"], item["unreadable"])
            continue
        created = f"{item['created_at']:%Y-%m-%d %H:%M:%S}Z"
        reason = item["reason"] or ("(erased)" if item["reason_erased"] else "")
        cells = (item["status"], item["action"], item["actor"], created, reason)
        table.add(item["id"], *cells, _counts({name: item["outcomes"][name] for name in _OUTCOMES}))
    return table


def _counts(outcomes: Mapping[str, int]) -> str:
    """Return how many exceptions have each outcome, without those that none has."""
    counts = ((name.replace("_", " "), outcomes[name]) for name in _OUTCOMES)
    return ", ".join(f"{number(count)} {name}" for name, count in counts if count) or "none"


def exception_table(
    items: Sequence[OperationExceptionItem | UnreadableItem], outcomes: Sequence[str]
) -> Table:
    """Return exceptions of an operation as a table; `outcomes` are the outcomes that were asked for."""
    names = " or ".join(name.replace("_", " ") for name in outcomes)
    table = Table(
        Column("exception"),
        Column("outcome"),
        Column("status now", leaves=1),
        Column("title", wraps=30, leaves=2),
        Column("why", wraps=24),
        empty=f"no exception is {names}",
    )
    for item in items:
        if "unreadable" in item:
            table.add_damaged(item["id"], item["unreadable"])
            continue
        cells = (item["outcome"], item["status"] or "", item["title"] or "", item["detail"] or "")
        table.add(item["exception_id"], *cells)
    return table


def _parse(operation_id: str) -> str:
    try:
        return str(UUID(operation_id))
    except ValueError as error:
        message = f"{operation_id[:80]!a} is no id of an operation; `reconciler operations` shows them"
        raise CommandError(message) from error


def _check(option: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise CommandError(f"{option} {value}: choose one of {', '.join(allowed)}")
