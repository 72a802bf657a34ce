"""What the commands that erase share: the session of the eraser, options, progress."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from audit.adapters.payload_erasure import open_eraser
from audit.handlers.erasing import RewriteDelayedError
from audit.settings import EraserSettings
from chassis.postgres import DATABASE_ERRORS, Connection
from chassis.process.command_line import CommandError, database_failure
from chassis.process.local_stack import load_command_settings

PROGRESS_SECONDS_MIN = 2.0

# Of the local stack's variables, those that no service receives.
_COMMANDS = "audit-eraser"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ResultT = TypeVar("ResultT")


class Meter:
    """Progress on a terminal's standard error, once the work takes longer than a moment."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._tasks = {
            name: self._progress.add_task(name, visible=False) for name in ("payloads", "renderings", "files")
        }

    def show(self, name: str, done: int, total: int) -> None:
        """Show how far the work is."""
        self._progress.update(self._tasks[name], completed=done, total=max(done, total, 1), visible=True)
        if sys.stderr.isatty() and time.monotonic() - self._began > PROGRESS_SECONDS_MIN:
            self._progress.start()

    def stop(self) -> None:
        if self._progress.live.is_started:  # a bar that never began would leave an empty line
            self._progress.stop()


def as_eraser(command: str, work: Callable[[Connection, Meter], Awaitable[ResultT]]) -> ResultT:
    """Run work in a session of the role `audit_eraser`.

    Raises:
        CommandError: the database does not answer or refuses, or a file could not be written anew.
    """
    settings = load_command_settings(EraserSettings, _COMMANDS)
    dsn = settings.audit_eraser_postgres_dsn.get_secret_value()

    async def run() -> ResultT:
        meter = Meter()
        connection = await open_eraser(dsn)
        try:
            return await work(connection, meter)
        finally:
            meter.stop()
            await connection.close()

    try:
        return asyncio.run(run())
    except RewriteDelayedError as error:
        raise CommandError(f"{command}: {error}") from error
    except DATABASE_ERRORS as error:
        raise database_failure(f"{command} (AUDIT_ERASER_POSTGRES_DSN)", error) from error
