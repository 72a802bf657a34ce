"""A query of a command: its own database is opened, asked once and closed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chassis.postgres.database import DATABASE_ERRORS, Database
from chassis.process.command_line import database_failure

ResultT = TypeVar("ResultT")


def run_query(
    database: Database, ask: Callable[[Database], Awaitable[ResultT]], *, where: str | None = None
) -> ResultT:
    """Run a query against a database that is not started yet.

    Args:
        database: of the command.
        ask: the query; its own errors pass through.
        where: names the database in an error, such as the variable of its DSN; default: the database's name.

    Raises:
        CommandError: the database does not answer.
    """

    async def run() -> ResultT:
        try:
            await database.start()
            return await ask(database)
        finally:
            await database.stop()

    try:
        return asyncio.run(run())
    except DATABASE_ERRORS as error:
        raise database_failure(where or database.name, error) from error
