"""The commands `operations plan`, `apply` and `revert`: one step on all exceptions of a filter (REC-9b)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from chassis import clock
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.postgres import Connection, Database
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.local_stack import load_command_settings
from chassis.process.progress import Progress
from contracts.metadata import format_time
from reconciler.adapters.operation_queries import OperationRecord
from reconciler.api.operation_responses import PlannedOperation, operation_item, planned_operation
from reconciler.commands.console import (
    AsJson,
    OpenDatabase,
    ResultT,
    choice,
    interruptible,
    print_result,
    query,
)
from reconciler.commands.exception_filters import Where, parse_where
from reconciler.commands.exception_steps import (
    Amount,
    By,
    Occurrences,
    Reason,
    Until,
    check_name,
    line_of,
    moment_of,
)
from reconciler.commands.operation_output import (
    SHOWN_FIRST,
    Id,
    parse_operation_id,
    plan_parts,
    print_operation,
)
from reconciler.domain.exceptions import PERSONS_RESOLUTIONS
from reconciler.domain.operation_steps import ArgumentError
from reconciler.domain.operations import (
    ACTIONS,
    OperationRefusedError,
    PlannedStep,
    Selection,
    StepArguments,
)
from reconciler.handlers import operation_queries
from reconciler.handlers.operation_queries import NotWorkedOnError, wait_for_operation
from reconciler.handlers.operations import (
    OperationRules,
    UnknownOperationError,
    apply_operation,
    plan_operation,
    revert_operation,
)
from reconciler.settings import SERVICE, OfflineSettings

# The members of a request, as the options of the command.
_OPTIONS = {
    "arguments": "--until, --beyond or --occurrences",
    "arguments.assignee": "--to",
    "arguments.resolution": "--as",
    "arguments.text": "--reason",
    "arguments.up_to": "--up-to",
    "expected_count": "--expect",
    "selection_token": "--token",
}


def add_bulk(group: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the commands to the group `operations`."""
    _add_plan(group, open_database)
    _add_apply(group, open_database)
    _add_revert(group, open_database)


def _add_plan(group: typer.Typer, open_database: OpenDatabase) -> None:
    actions, resolutions = ", ".join(ACTIONS), ", ".join(PERSONS_RESOLUTIONS)

    @group.command(help="Show what a step would do to the exceptions of a filter. It changes none of them.")
    def plan(
        action: Annotated[str, typer.Argument(metavar="ACTION", help=f"{actions}.")],
        *,
        where: Where,
        to: Annotated[str | None, typer.Option(help="For assign: the person's id.")] = None,
        as_: Annotated[
            str | None, typer.Option("--as", metavar="RESOLUTION", help=f"For resolve: {resolutions}.")
        ] = None,
        up_to: Amount = None,
        until: Until = None,
        beyond: Amount = None,
        occurrences: Occurrences = None,
        reason: Annotated[str, typer.Option(help="Why, in one line; the text of a comment.")] = "",
        by: By,
        as_json: AsJson = False,
    ) -> None:
        check_name("--by", by)
        if to is not None:
            check_name("--to", to)
        code = None if as_ is None else choice("--as", as_, PERSONS_RESOLUTIONS)
        arguments = StepArguments(to, code, up_to, moment_of(until), beyond, occurrences)
        text = line_of("--reason", reason) if reason else ""
        planned = PlannedStep(choice("ACTION", action, ACTIONS), arguments, text, by)
        selection, rules = Selection(query=parse_where(where)), _rules()

        async def make(database: Database) -> PlannedOperation:
            async with database.transaction() as connection:
                dry_run = await plan_operation(connection, planned, selection, rules)
            operation = await operation_queries.get_operation(database, dry_run.operation_id)
            return planned_operation(operation, dry_run, at=clock.now())

        operation = _with_options(lambda: query(open_database, make))
        shown = operation["plan"]
        assert shown is not None, "a dry run was made"
        print_result(operation, *plan_parts(operation, shown), as_json=as_json)
        if not as_json and operation["count"]:
            # Not wrapped: it is there to be copied.
            typer.echo(
                f"\nNothing has changed. Until {format_time(shown['token_expires_at'])} apply it with\n\n"
                f"reconciler operations apply {operation['id']}"
                f" --expect {operation['count']} --token {shown['selection_token']} --by {by}"
            )


def _add_apply(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.command(help="Apply a planned operation, and wait until a running service has done it.")
    def apply(
        operation_id: Id,
        *,
        expect: Annotated[int, typer.Option(min=1, help="How many exceptions the plan has.")],
        token: Annotated[str, typer.Option(help="That of the plan.")],
        by: By,
        as_json: AsJson = False,
    ) -> None:
        parsed, rules = parse_operation_id(operation_id), _rules()

        async def start(connection: Connection) -> None:
            await apply_operation(connection, parsed, rules, by=by, token=token, expected_count=expect)

        _start(open_database, parsed, start, as_json=as_json)


def _add_revert(group: typer.Typer, open_database: OpenDatabase) -> None:
    @group.command(help="Take an operation back, and wait until a running service has done it.")
    def revert(operation_id: Id, *, reason: Reason, by: By, as_json: AsJson = False) -> None:
        check_name("--by", by)
        parsed, text = parse_operation_id(operation_id), line_of("--reason", reason)

        async def start(connection: Connection) -> None:
            await revert_operation(connection, parsed, by=by, reason=text)

        _start(open_database, parsed, start, as_json=as_json)


def _start(
    open_database: OpenDatabase,
    operation_id: str,
    start: Callable[[Connection], Awaitable[None]],
    *,
    as_json: bool,
) -> None:
    """Start the work, wait for it and print it. Exit with 1 if a step was refused or not taken back."""

    async def in_transaction(database: Database) -> None:
        async with database.transaction() as connection:
            await start(connection)

    _with_options(lambda: query(open_database, in_transaction, UnknownOperationError))

    async def wait(database: Database) -> OperationRecord:
        with Progress() as progress:
            return await wait_for_operation(database, operation_id, lambda record: _show(progress, record))

    operation = interruptible(
        lambda: query(open_database, wait, UnknownOperationError, NotWorkedOnError),
        f"no longer waiting; the operation goes on, see `reconciler operations show {operation_id}`",
    )
    print_operation(open_database, operation_id, SHOWN_FIRST, PAGE_ROWS_DEFAULT, as_json=as_json)
    if operation.status == "failed":
        raise CommandError(f"the operation failed: {operation.error}")
    if any(operation.counts[outcome] for outcome in SHOWN_FIRST):
        raise typer.Exit(EXIT_NO)


def _show(progress: Progress, operation: OperationRecord) -> None:
    done = operation_item(operation, at=clock.now())["progress"]
    text = f"{operation.status}, {done['done']:,} of {done['total']:,} exceptions"
    progress.show(text, done["done"], done["total"])


def _rules() -> OperationRules:
    settings = load_command_settings(OfflineSettings, SERVICE)
    return OperationRules(settings.reconciler_second_person_above, settings.targets)


def _with_options(ask: Callable[[], ResultT]) -> ResultT:
    """Return the answer; a refusal names the command's options in place of a request's members."""
    try:
        return ask()
    except (ArgumentError, OperationRefusedError) as error:
        member, colon, message = str(error).partition(": ")
        option = _OPTIONS.get(member, f"--{member.rpartition('.')[2]}")
        raise CommandError(f"{option}: {message}" if colon else str(error)) from error
