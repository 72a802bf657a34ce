"""Exit codes and one-line errors of command lines (interface.md)."""

import asyncpg

from chassis.process.terminal import in_one_line

EXIT_NO = 1
EXIT_COULD_NOT = 2


class CommandError(Exception):
    """A command failed. The text says what is wrong and what to do."""


def database_failure(where: str, error: BaseException) -> CommandError:
    """Return an error with the first line of one of `DATABASE_ERRORS` and, where known, what to do."""
    hint = "; run the service's `migrate` first" if isinstance(error, asyncpg.UndefinedTableError) else ""
    return CommandError(f"{where}: {in_one_line(error)}{hint}")
