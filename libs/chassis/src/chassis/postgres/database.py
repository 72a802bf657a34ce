"""PostgreSQL connection pools with all time-outs set (foundations §5)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from chassis.observability.metrics import Metrics
from chassis.postgres.sessions import (
    CONNECT_SECONDS_MAX,
    ServerReadOnlyError,
    WatchedSession,
    open_session,
    session_of,
)
from chassis.process.health import Check

# Strings, because asyncpg's classes take their parameter in type stubs only.
Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
"""A connection outside the pool. It keeps the state of its session: locks, role, settings."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""A connection for queries, from the pool or outside of it."""

ACQUIRE_SECONDS_MAX = 5.0
COMMAND_SECONDS_MAX = 30.0

SERVER_SETTINGS: dict[str, str] = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    # A row policy raises an error. Otherwise rows that it hides would look like missing rows.
    "row_security": "off",
    "jit": "off",  # our statements are short: compiling takes longer than it saves
}

Isolation = Literal["read_committed", "repeatable_read", "serializable"]


class Database:
    """Connection pool of a service. It opens without a server and connects on demand.

    Args:
        dsn: connection string of the service's own role.
        application_name: shown in pg_stat_activity.
        connections_max: size of the pool. Readiness has one connection more, so that load does not delay it.
        read_only: accept a server that takes no writes, such as a hot standby.
        statement_seconds_max: the server cancels a statement that takes longer.
    """

    def __init__(
        self,
        dsn: str,
        *,
        application_name: str,
        connections_max: int = 10,
        read_only: bool = False,
        statement_seconds_max: float = COMMAND_SECONDS_MAX,
    ) -> None:
        self.name = f"postgres:{application_name}"
        self._dsn = dsn
        self.application_name = application_name
        self.connections_max = connections_max
        self._read_only = read_only
        self._statement_milliseconds_max = int(statement_seconds_max * 1000)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._checking: asyncpg.Pool[asyncpg.Record] | None = None

    async def start(self) -> None:
        """Open the pool and check that the server answers."""
        if self._pool is None:
            self._pool = await self._open(self.connections_max)
            self._checking = await self._open(1)
        await self._prove(self._checking)

    async def _open(self, connections_max: int) -> "asyncpg.Pool[asyncpg.Record]":
        opening: Any = partial(open_session, read_only=self._read_only)
        return await asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=connections_max,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=COMMAND_SECONDS_MAX,
            max_inactive_connection_lifetime=60.0,
            server_settings={
                **SERVER_SETTINGS,
                "application_name": self.application_name,
                "statement_timeout": f"{self._statement_milliseconds_max}ms",
            },
            connection_class=WatchedSession,
            connect=opening,
        )

    async def stop(self) -> None:
        """Wait for connections in use and close the pool."""
        for pool in (self._pool, self._checking):
            if pool is not None:
                await pool.close()

    async def check(self) -> Check:
        """Check on a separate connection that the server answers and takes writes."""
        if self._checking is None:
            return Check(ok=False, detail="not connected yet")
        await self._prove(self._checking)
        return Check(ok=True)

    async def _prove(self, pool: "asyncpg.Pool[asyncpg.Record] | None") -> None:
        async with self._lend(pool) as connection:
            # A reload of the server's settings changes this in open sessions.
            if await connection.fetchval("SHOW transaction_read_only") == "on" and not self._read_only:
                raise ServerReadOnlyError("the server takes no writes: default_transaction_read_only is on")

    def measure(self, metrics: Metrics, *others: "Database") -> None:
        """Expose the connections in use and the maximum, of this pool and of others."""
        in_use = metrics.gauge("postgres_connections_in_use")
        maximum = metrics.gauge("postgres_connections_max")
        for database in (self, *others):
            in_use.labels(database.application_name).set_function(database.connections_in_use)
            maximum.labels(database.application_name).set(database.connections_max)

    def connections_in_use(self) -> float:
        return 0.0 if self._pool is None else float(self._pool.get_size() - self._pool.get_idle_size())

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection, without a transaction."""
        async with self._lend(self._pool) as connection:
            yield connection

    @asynccontextmanager
    async def _lend(self, pool: "asyncpg.Pool[asyncpg.Record] | None") -> AsyncGenerator[Connection]:
        """Lend a connection of a pool. A session with a sign of a failover is closed afterwards."""
        if pool is None:
            raise DatabaseNotReadyError("the database is not connected yet; try again in a moment")
        connection = await self._acquire(pool)
        session = session_of(connection)
        try:
            yield connection
        except BaseException as error:
            session.notice(error)
            raise
        finally:
            if not session.is_fit:
                session.terminate()
            await pool.release(connection)

    async def _acquire(self, pool: "asyncpg.Pool[asyncpg.Record]") -> "PoolConnectionProxy[asyncpg.Record]":
        """Take a usable session from the pool, and close unusable ones."""
        while True:
            connection = await pool.acquire(timeout=ACQUIRE_SECONDS_MAX)
            session = session_of(connection)
            if session.is_fit:
                return connection
            session.terminate()

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncGenerator[Connection]:
        """Run the block in a transaction: commit at its end, roll back on an error."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation=isolation, readonly=readonly),
        ):
            yield connection

    async def dedicated(self, **server_settings: str) -> Session:
        """Open a connection outside the pool, for session locks: pooled ones are lost on release."""
        return await open_session(
            self._dsn,
            read_only=self._read_only,
            command_timeout=COMMAND_SECONDS_MAX,
            server_settings={
                **SERVER_SETTINGS,
                "application_name": f"{self.application_name}-dedicated",
                **server_settings,
            },
        )


class DatabaseNotReadyError(ConnectionError):
    """The pool is not open yet. The service is starting."""


DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""Errors that a query can raise. Commands report them in one line."""

_TRANSIENT_CLASSES = ("08", "28", "40", "53", "57")
_TRANSIENT_STATES = ("55P03", "25006", "25P03", "25P04")


def is_transient(error: BaseException) -> bool:
    """Return whether to retry: the error comes from connection, load or timing, not from the data.

    SQLSTATE classes 08 (connection), 28 (the service's own login), 40 (serialization, deadlock),
    53 (resources), 57 (operator intervention: shutdown, time-out), and 55P03 (lock not available), 25006
    (read-only after a failover), 25P03 and 25P04 (the transaction took too long, as after a paused process).
    """
    if isinstance(error, asyncpg.PostgresError):
        state: Any = error.sqlstate
        return isinstance(state, str) and (state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES)
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError)
