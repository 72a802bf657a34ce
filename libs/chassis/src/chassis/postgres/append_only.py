"""Prove at start-up that append-only tables are append-only (BK-5, AU-3, design rule 8)."""

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

# PostgreSQL refuses an update of a generated column before it looks at grants.
_FIRST_COLUMN = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity <> 'a' AND attgenerated = ''
ORDER BY attnum LIMIT 1
"""


class NotAppendOnlyError(Exception):
    """An append-only table could be changed. Restore grants and triggers before the service runs."""


async def assert_append_only(
    database: Database, tables: Sequence[str], *, packages: Sequence[str] = ("chassis",)
) -> None:
    """Prove that no role can change these tables.

    The service's own role tries each forbidden statement in a transaction that is rolled back. Statements of
    other roles, such as the owner, cannot be tried: their triggers and trigger functions are compared with
    the migrations.

    Args:
        database: of the service, with its own role.
        tables: the append-only tables.
        packages: their migrations made the tables and the trigger functions.

    Raises:
        NotAppendOnlyError: a forbidden statement succeeded or is granted, or a trigger differs from the
        migrations.
    """
    shipped = read_shipped(packages)
    async with database.connection() as connection:
        for table in tables:
            await _assert_triggers_in_place(connection, table, shipped)
            for statement in await forbidden_statements(connection, table):
                await _assert_refused(connection, statement)


async def forbidden_statements(connection: Connection, table: str) -> list[str]:
    """Return one UPDATE, DELETE and TRUNCATE of the table."""
    column: str = await connection.fetchval(_FIRST_COLUMN, table)
    return [statement.format(table=table, column=column) for statement in _FORBIDDEN]


async def _assert_triggers_in_place(connection: Connection, table: str, shipped: Shipped) -> None:
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
    raise NotAppendOnlyError(f"the database accepted: {statement}")


class AppendOnlyStartupCheck:
    """Start-up check: a service starts only if its append-only tables cannot be changed.

    Args:
        database: of the service, with its own role.
        tables: the append-only tables.
        packages: their migrations made the tables and the trigger functions.
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
        await assert_append_only(self._database, self._tables, packages=self._packages)
        self._proven = True

    async def stop(self) -> None:
        pass

    async def check(self) -> Check:
        return Check(ok=self._proven, detail="" if self._proven else "not proven yet")
