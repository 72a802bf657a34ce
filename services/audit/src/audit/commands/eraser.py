"""What the commands that erase share: the session of the eraser, options, progress."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from audit.adapters.payload_erasure import ERASER, open_eraser
from audit.handlers.erasing import RewriteDelayedError
from audit.settings import EraserSettings
from chassis.postgres import DATABASE_ERRORS, Connection
from chassis.process.command_line import CommandError, database_failure
from chassis.process.local_stack import load_command_settings
from chassis.process.progress import Progress

# Of the local stack's variables, those that no service receives.
_COMMANDS = "audit-eraser"
_ERASER = f"a login that is a member of {ERASER} (CREATE ROLE jane LOGIN PASSWORD '…' IN ROLE {ERASER})"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ResultT = TypeVar("ResultT")


class Meter(Progress):
    """Progress of the parts of an erasure."""

    def show_part(self, name: str, done: int, total: int) -> None:
        """Show how far a part is."""
        total = max(done, total, 1)
        self.show(f"{name}: {done:,} of {total:,}", done, total)


def as_eraser(command: str, work: Callable[[Connection, Meter], Awaitable[ResultT]]) -> ResultT:
    """Run work in a session of the role `audit_eraser`.

    Raises:
        CommandError: the database does not answer or refuses, or a file could not be written anew.
    """
    settings = load_command_settings(EraserSettings, _COMMANDS)
    dsn = settings.audit_eraser_postgres_dsn.get_secret_value()

    async def run() -> ResultT:
        connection = await open_eraser(dsn)
        try:
            with Meter() as meter:
                return await work(connection, meter)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except RewriteDelayedError as error:
        raise CommandError(f"{command}: {error}") from error
    except DATABASE_ERRORS as error:
        raise database_failure(f"{command} (AUDIT_ERASER_POSTGRES_DSN)", error, role=_ERASER) from error
