"""The commands' connection to the service's database, their progress and their output for people."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import typer

from chassis.dead_letters.operator.actions import Actions, DeadLetterNotFoundError, DeadLetterSettledError
from chassis.messaging.message import Apply
from chassis.observability.logs import configure_logs
from chassis.postgres.command_query import run_query
from chassis.postgres.database import Database
from chassis.process.command_line import CommandError
from chassis.process.progress import Progress
from chassis.process.tables import Column, Table, number, print_parts
from chassis.process.terminal import printable

ResultT = TypeVar("ResultT")


class CommandContext:
    """Runs actions on the dead letters of one service for its command line.

    Args:
        consumer: the service's name, as its `DeadLetters` has it.
        open_database: returns the service's database, not yet started; reads the environment.
        apply: the handler of the service's consumer.
    """

    def __init__(self, consumer: str, open_database: Callable[[], Database], apply: Apply) -> None:
        self._consumer = consumer
        self._open_database = open_database
        self._apply = apply

    def run(self, action: Callable[[Actions], Awaitable[ResultT]]) -> ResultT:
        """Run an action on a database connection of its own.

        Warnings of the service's code go to standard error; standard output has the result only.

        Raises:
            CommandError: the database fails, or the dead letter is unknown or does not wait.
        """
        configure_logs(self._consumer, log_format="console", level="WARNING", stream=sys.stderr)
        database = self._open_database()
        try:
            return run_query(database, lambda started: action(Actions(started, self._consumer, self._apply)))
        except DeadLetterNotFoundError as error:
            raise CommandError(f"{error}; `dead-letters list` shows them") from error
        except DeadLetterSettledError as error:
            raise CommandError(str(error)) from error


def advance(progress: Progress, title: str, total: int) -> Callable[[], None]:
    """Return a function that shows one message more as done."""
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress.show(f"{title}: {done:,} of {total:,} messages", done, total)

    return one_more


def print_list(items: list[dict[str, Any]], total: int) -> None:
    """Print the items of a list as a table, one row a message; `total` messages match the list's filter."""
    table = Table(
        Column("id"),
        Column("set aside", leaves=2),
        Column("topic", leaves=4),
        Column("key", leaves=3),
        Column("reason", leaves=5),
        Column("tried", right=True, leaves=1),
        Column("error", wraps=20),
        empty="no message waits",
    )
    for item in items:
        if "unreadable" in item:
            table.add_damaged(item["id"], item["unreadable"])
            continue
        table.add(
            item["id"],
            f"{item['set_aside_at']:%Y-%m-%d %H:%M:%S}Z",
            item["topic"],
            item["key"],
            item["reason"],
            number(item["attempts"]),
            item["error"],
        )
    table.count(len(items), total, "messages")
    print_parts(table)


def print_detail(letter: dict[str, Any]) -> None:
    """Print one dead letter, one member a line and the actions last. Only the body keeps its line ends."""
    for name, value in letter.items():
        if name not in ("headers", "actions"):
            typer.echo(f"{name}: {printable(str(value), keep_lines=name == 'value_text')}")
    for header in letter["headers"]:
        typer.echo(printable(f"header {header['name']}: {header['value']}"))
    for action in letter["actions"]:
        cause = " ".join(filter(None, (action["reason"], action["error"])))
        line = f"{action['recorded_at']:%Y-%m-%d %H:%M:%S}Z {action['action']} by {action['actor']}: {cause}"
        typer.echo(printable(line))
