"""Bulk operations on a terminal: as a table, one with its exceptions, and a plan."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal
from uuid import UUID

import typer

from chassis import clock
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow
from chassis.process.command_line import CommandError
from chassis.process.tables import Column, Table, number
from contracts.money import Money
from reconciler.adapters.operation_queries import OperationItemRecord, OperationRecord
from reconciler.api.operation_responses import (
    OperationExceptionItem,
    OperationItem,
    PlanItem,
    PlannedOperation,
    operation_exceptions,
    operation_item,
)
from reconciler.commands.console import OpenDatabase, print_result, query
from reconciler.commands.exception_tables import sums_texts
from reconciler.domain.operations import OUTCOMES
from reconciler.handlers import operation_queries
from reconciler.handlers.operations import UnknownOperationError

SHOWN_FIRST = ("refused", "not_reverted")
"""Outcomes of the exceptions that a person wants to see."""


def print_operation(
    open_database: OpenDatabase, operation_id: str, outcomes: Sequence[str], limit: int, *, as_json: bool
) -> None:
    """Print an operation, and its exceptions with these outcomes."""

    async def read(
        database: Database,
    ) -> tuple[OperationRecord, list[OperationItemRecord | UnreadableRow]]:
        operation = await operation_queries.get_operation(database, operation_id)
        rows: list[OperationItemRecord | UnreadableRow] = []
        for each in outcomes:
            rows += await operation_queries.list_items(
                database, operation.id, after=None, outcome=each, rows_max=limit
            )
        return operation, rows

    operation, rows = query(open_database, read, UnknownOperationError)
    item, items = operation_item(operation, at=clock.now()), operation_exceptions(rows)
    shown = outcome_table(items, outcomes)
    shown.count(
        len(items), sum(count for name, count in operation.counts.items() if name in outcomes), "exceptions"
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
        table.add(item["id"], *cells, _counts({name: item["outcomes"][name] for name in OUTCOMES}))
    return table


def _counts(outcomes: Mapping[str, int]) -> str:
    """Return how many exceptions have each outcome, without those that none has."""
    counts = ((name.replace("_", " "), outcomes[name]) for name in OUTCOMES)
    return ", ".join(f"{number(count)} {name}" for name, count in counts if count) or "none"


def outcome_table(items: Sequence[OperationExceptionItem | UnreadableItem], outcomes: Sequence[str]) -> Table:
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


def plan_parts(operation: PlannedOperation, plan: PlanItem) -> Iterator[Table | str]:
    """Yield what a plan would do, in words and with some of its exceptions."""
    yield f"{operation['action']} on {number(operation['count'])} exceptions, {_sums(operation)}"
    yield ", ".join(f"{number(plan['outcomes'][name])} {words}" for name, words in _FORECASTS)
    table = Table(
        Column("exception"),
        Column("would be"),
        Column("status now", leaves=1),
        Column("amount", right=True),
        Column("title", wraps=30, leaves=2),
        Column("why", wraps=24),
        empty="no exception has all of that",
    )
    for each in plan["sample"]:
        amount = each["amount"]
        money = "-" if amount is None else str(Money(amount["amount"], amount["currency"]))
        cells = (each["outcome"], each["status"] or "", money, each["title"], each["detail"])
        table.add(each["exception_id"], *cells)
    yield table


_FORECASTS: tuple[tuple[Literal["stepped", "unchanged", "refused"], str], ...] = (
    ("stepped", "would take the step"),
    ("unchanged", "would stay as they are"),
    ("refused", "would be refused"),
)


def _sums(operation: OperationItem) -> str:
    sums = sums_texts(operation["sums"])
    if operation["without_amount"]:
        sums.append(f"{number(operation['without_amount'])} without an amount")
    return f"together {', '.join(sums)}" if sums else "no amounts"


Id = Annotated[str, typer.Argument(metavar="ID", help="Id of an operation.")]


def parse_operation_id(operation_id: str) -> str:
    """Return the id of an operation in its usual form."""
    try:
        return str(UUID(operation_id))
    except ValueError as error:
        message = f"{operation_id[:80]!a} is no id of an operation; `reconciler operations` shows them"
        raise CommandError(message) from error
