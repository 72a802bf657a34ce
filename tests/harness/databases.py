"""A test's access to a service's database, as superuser or as another role."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from harness.sessions import Connection, shared
from plumbline import dsn

_COMMAND_SECONDS_MAX = 20.0

_ALWAYS = "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::regclass AND tgenabled = 'A'"


class TestDatabase:
    """Each call has a session as new, so that a restart of the server breaks no later call.

    Calls of the superuser to a stack's databases share sessions (`sessions.py`). `role` is the login role,
    for example the service's own. Without it the calls run as superuser.
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
        connection = await self._open(role)
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
        return await self._call("fetch", role, sql, *args)

    async def fetchrow(self, sql: str, *args: Any, role: str | None = None) -> asyncpg.Record | None:
        return await self._call("fetchrow", role, sql, *args)

    async def fetchval(self, sql: str, *args: Any, role: str | None = None) -> Any:
        return await self._call("fetchval", role, sql, *args)

    async def execute(self, sql: str, *args: Any, role: str | None = None) -> str:
        return await self._call("execute", role, sql, *args)

    async def _call(self, method: str, role: str | None, sql: str, *args: Any) -> Any:
        if role is None and (session := shared(self._admin_dsn)):
            return await session.call(self._open, method, sql, *args)
        async with self.connect(role) as connection:
            return await getattr(connection, method)(sql, *args)

    async def _open(self, role: str | None = None) -> Connection:
        return await asyncpg.connect(
            self.dsn(role),
            timeout=_COMMAND_SECONDS_MAX,
            command_timeout=_COMMAND_SECONDS_MAX,
            statement_cache_size=0,  # tests change tables between their statements
        )
