"""What the commands share: options, a query against the database, tables."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from chassis.http.page_sizes import PAGE_ROWS_MAX
from chassis.postgres import Database
from chassis.postgres.command_query import run_query
from chassis.process.command_line import CommandError
from chassis.process.tables import Facts, Table, print_parts
from chassis.process.terminal import print_json, printable

OpenDatabase = Callable[[], Database]
ResultT = TypeVar("ResultT")
ChoiceT = TypeVar("ChoiceT", bound=str)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as over HTTP.")]
Limit = Annotated[int, typer.Option(min=1, max=PAGE_ROWS_MAX, help="How many at most.")]


def query(
    open_database: OpenDatabase,
    ask: Callable[[Database], Awaitable[ResultT]],
    *failures: type[Exception],
) -> ResultT:
    """Run a query against the reconciler's database.

    Args:
        open_database: builds the database from the command's settings.
        ask: the query.
        failures: errors of the query whose text is meant for a person.

    Raises:
        CommandError: the database does not answer, or one of `failures`.
    """
    try:
        return run_query(open_database(), ask, where="RECONCILER_POSTGRES_DSN")
    except failures as error:
        raise CommandError(str(error)) from error


def choice(option: str, value: str, allowed: Sequence[ChoiceT]) -> ChoiceT:
    """Return the value of an option that is one of a list.

    Raises:
        CommandError: it is none of them.
    """
    for each in allowed:
        if each == value:
            return each
    raise CommandError(f"{option} {printable(value)[:80]}: choose one of {', '.join(allowed)}")


def interruptible(work: Callable[[], ResultT], line: str) -> ResultT:
    """Do work that waits for a service, which goes on without it.

    Raises:
        CommandError: the person does not wait any longer (Ctrl-C): exit code 1 would be an answer.
    """
    try:
        return work()
    except KeyboardInterrupt:
        raise CommandError(line) from None


def print_result(data: Any, *parts: Table | Facts | str, as_json: bool) -> None:
    """Print data as JSON, or the tables and lines that show it."""
    if as_json:
        print_json(data)
    else:
        print_parts(*parts)
