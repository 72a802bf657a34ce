"""Exit codes and one-line errors of command lines (interface.md)."""

import socket

import asyncpg

from chassis.process.terminal import plain_reason

EXIT_NO = 1
EXIT_COULD_NOT = 2


class CommandError(Exception):
    """A command failed. The text says what is wrong and what to do."""


def database_failure(
    where: str, error: BaseException, *, role: str = "the service's own role and database"
) -> CommandError:
    """Return an error that says why the database did not serve a command and, where known, what to do.

    `role` is whose connection string the command needs.
    """
    return CommandError(f"{where}: {plain_reason(error)}{_database_hint(error, role)}")


def _database_hint(error: BaseException, role: str) -> str:
    match error:
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError():
            return (
                "; if this is the service's own database, run the service's `migrate`; else correct the DSN"
            )
        case asyncpg.InvalidCatalogNameError():
            return "; correct the database's name at the end of the DSN"
        case asyncpg.InsufficientPrivilegeError():
            return f"; give the DSN of {role}"
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return "; correct role and password in the DSN"
        case ConnectionError() | socket.gaierror():
            return "; correct host and port in the DSN, or start the server"
        case _:
            return ""
