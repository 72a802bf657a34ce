"""Append-only by enforcement, and the proof of it at start-up (BK-5, AU-3, design rule 8)."""

from collections.abc import Sequence

import asyncpg

from chassis.postgres.append_only_catalog import Shipped, problem_of, read_shipped
from chassis.postgres.database import Connection, Database
from chassis.process.health import Check

_FORBIDDEN = (
    'UPDATE {table} SET "{column}" = "{column}"',
    "DELETE FROM {table}",
    "TRUNCATE {table}",
)

# One that a statement may name: a generated column is refused before anybody looks at grants.
_FIRST_COLUMN = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity <> 'a' AND attgenerated = ''
ORDER BY attnum LIMIT 1
"""


class NotAppendOnlyError(Exception):
    """A history could be changed. The service must not run: restore grants and triggers first."""


async def assert_append_only(
    database: Database, tables: Sequence[str], *, packages: Sequence[str] = ("chassis",)
) -> None:
    """Prove that nobody can change these tables.

    The service's own role tries each forbidden statement, in a transaction that is rolled back. What binds
    everybody else, the owner among them, cannot be tried as this role: the triggers, their functions and all
    that could get between are compared with the migrations.

    Args:
        database: of the service, with its own role.
        tables: the append-only ones.
        packages: whose migrations made the tables and the functions of their triggers.

    Raises:
        NotAppendOnlyError: a statement went through or is granted, or the migrations made it otherwise.
    """
    shipped = read_shipped(packages)
    async with database.connection() as connection:
        for table in tables:
            await _assert_guarded(connection, table, shipped)
            for statement in await forbidden_statements(connection, table):
                await _assert_refused(connection, statement)


async def forbidden_statements(connection: Connection, table: str) -> list[str]:
    """Return a statement of each kind that changes or removes rows."""
    column: str = await connection.fetchval(_FIRST_COLUMN, table)
    return [statement.format(table=table, column=column) for statement in _FORBIDDEN]


async def _assert_guarded(connection: Connection, table: str, shipped: Shipped) -> None:
    if problem := await problem_of(connection, table, shipped):
        raise NotAppendOnlyError(f"{table}: {problem}")


async def _assert_refused(connection: Connection, statement: str) -> None:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return
    finally:
        await transaction.rollback()
    raise NotAppendOnlyError(f"the database let this through: {statement}")


class AppendOnlyStartupCheck:
    """A part that lets a service start only when its histories cannot be changed.

    Args:
        database: of the service, with its own role.
        tables: the append-only ones.
        packages: whose migrations made the tables and the functions of their triggers.
    """

    name = "append-only"

    def __init__(
        self, database: Database, tables: Sequence[str], *, packages: Sequence[str] = ("chassis",)
    ) -> None:
        self._database = database
        self._tables = tables
        self._packages = packages
        self._proven = False

    async def start(self) -> None:
        """Run the self-check.

        Raises:
            NotAppendOnlyError: a history could be changed.
        """
        await assert_append_only(self._database, self._tables, packages=self._packages)
        self._proven = True

    async def stop(self) -> None:
        """Nothing is held."""

    async def check(self) -> Check:
        """Good once the self-check has passed."""
        return Check(ok=self._proven, detail="" if self._proven else "not proven yet")
