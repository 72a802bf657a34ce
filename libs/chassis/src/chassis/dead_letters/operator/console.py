"""What the commands share: the service's database, its consumer's effect, and how answers are printed."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Self, TypeVar

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from chassis.dead_letters.operator import actions
from chassis.dead_letters.replay import Replayer
from chassis.messaging.message import Apply
from chassis.observability.logs import configure_logs
from chassis.postgres.database import DATABASE_ERRORS, Database
from chassis.process.command_line import database_failure
from chassis.process.terminal import printable

PROGRESS_SECONDS_MIN = 2.0
PIPED_CHARACTERS = 200
"""Width of a table that is not written to a terminal, which would tell its own."""

ResultT = TypeVar("ResultT")


class Desk:
    """Where an operator works off the dead letters of one service.

    Args:
        consumer: the service's name, as its `DeadLetters` has it.
        open_database: the service's own, not yet started; reads the environment.
        apply: what its consumer does with a batch.
    """

    def __init__(self, consumer: str, open_database: Callable[[], Database], apply: Apply) -> None:
        self.consumer = consumer
        self._open_database = open_database
        self._apply = apply

    def ask(self, question: Callable[[Replayer], Awaitable[ResultT]]) -> ResultT:
        """Put a question to the database; what stands in the way is one line.

        Warnings of the service's own code go to standard error: standard output is the answer's.
        """
        configure_logs(self.consumer, log_format="console", level="WARNING", stream=sys.stderr)
        database = self._open_database()

        async def answer() -> ResultT:
            try:
                await database.start()
                return await question(Replayer(database, self.consumer, self._apply))
            finally:
                await database.stop()

        try:
            return asyncio.run(answer())
        except DATABASE_ERRORS as error:
            raise database_failure(database.name, error) from error

    def now(self) -> datetime:
        """The time by the database's clock, which stamps what is set aside."""
        return self.ask(actions.now)


class Progress:
    """A bar on the terminal, once an action has taken PROGRESS_SECONDS_MIN; elsewhere nothing."""

    def __init__(self, title: str, total: int) -> None:
        self._began = time.monotonic()
        self._bar = Bar(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """One more message is done."""
        self._bar.advance(self._task)
        if sys.stderr.isatty() and time.monotonic() - self._began > PROGRESS_SECONDS_MIN:
            self._bar.start()


def print_list(items: list[dict[str, Any]]) -> None:
    """For people: one row a message."""
    table = Table(Column("id", no_wrap=True), "set aside", "topic", "key", "reason", "tried", box=SIMPLE)
    table.add_column("error")
    for item in items:
        if "unreadable" in item:
            table.add_row(
                item["id"], "", "", "", "", "", Text(printable(f"unreadable: {item['unreadable']}"))
            )
            continue
        cells = (
            item["id"],
            f"{item['set_aside_at']:%Y-%m-%d %H:%M:%S}Z",
            item["topic"],
            item["key"],
            item["reason"],
            str(item["attempts"]),
            item["error"],
        )
        # Text and printable: what a sender wrote is no markup of ours, and does not steer the terminal.
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else PIPED_CHARACTERS).print(table)


def print_detail(letter: dict[str, Any]) -> None:
    """For people: one member a line; what was done about it at the end. Only the body keeps its lines."""
    for name, value in letter.items():
        if name not in ("headers", "actions"):
            typer.echo(f"{name}: {printable(str(value), keep_lines=name == 'value_text')}")
    for header in letter["headers"]:
        typer.echo(printable(f"header {header['name']}: {header['value']}"))
    for taken in letter["actions"]:
        why = " ".join(filter(None, (taken["reason"], taken["error"])))
        done = f"{taken['recorded_at']:%Y-%m-%d %H:%M:%S}Z {taken['action']} by {taken['actor']}: {why}"
        typer.echo(printable(done))
