"""A test's access to a service's database, as superuser or as another role."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from plumbline import dsn

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_COMMAND_SECONDS_MAX = 20.0

_ALWAYS = "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::regclass AND tgenabled = 'A'"


class TestDatabase:
    """Opens a connection for each call, so that a restart of the server breaks no later call.

    `role` is the login role, for example the service's own. Without it the calls run as superuser.
    """

    __test__ = False

    def __init__(self, admin_dsn: str, passwords: Mapping[str, str]) -> None:
        self._admin_dsn = admin_dsn
        self._passwords = passwords

    def dsn(self, role: str | None = None) -> str:
        """Return the connection string of a role, or of the superuser."""
        return dsn.as_role(self._admin_dsn, role, self._passwords[role]) if role else self._admin_dsn

    @asynccontextmanager
    async def connect(self, role: str | None = None) -> AsyncGenerator[Connection]:
        """Open a separate session."""
        connection = await asyncpg.connect(
            self.dsn(role), timeout=_COMMAND_SECONDS_MAX, command_timeout=_COMMAND_SECONDS_MAX
        )
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def without_triggers(self, *tables: str) -> AsyncGenerator[Connection]:
        """Open a transaction in which no trigger of these tables runs, to damage rows."""
        names = set[tuple[str, str]]()
        async with self.connect() as connection, connection.transaction():
            for table in tables:
                always = await connection.fetch(_ALWAYS, table)
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
                names.update({(table, row["tgname"]) for row in always})
            yield connection
            for table in tables:
                await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
            for table, name in names:
                await connection.execute(f'ALTER TABLE {table} ENABLE ALWAYS TRIGGER "{name}"')

    async def fetch(self, sql: str, *args: Any, role: str | None = None) -> list[asyncpg.Record]:
        async with self.connect(role) as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any, role: str | None = None) -> asyncpg.Record | None:
        async with self.connect(role) as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any, role: str | None = None) -> Any:
        async with self.connect(role) as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any, role: str | None = None) -> str:
        async with self.connect(role) as connection:
            return await connection.execute(sql, *args)
