"""A session that showed a failover is never used again, wherever its error was seen."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from chassis.postgres import Database, sessions
from chassis.postgres.array_types import ARRAY_TYPES
from chassis.postgres.sessions import ServerReadOnlyError, ends_session
from integration.chassis.ground import Ground

_WRITE = (
    "SET transaction_read_only = on; INSERT INTO inbox (source, event_id, body_sha256) VALUES ('', '', '')"
)


async def server_process(database: Database) -> int:
    async with database.connection() as connection:
        return await connection.fetchval("SELECT pg_backend_pid()")


@asynccontextmanager
async def taking_no_writes(ground: Ground) -> AsyncGenerator[None]:
    await ground.sql.execute(f'ALTER DATABASE "{ground.name}" SET default_transaction_read_only = on')
    try:
        yield
    finally:
        async with ground.sql.connect() as connection:
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute(f'ALTER DATABASE "{ground.name}" RESET default_transaction_read_only')


async def end_sessions(ground: Ground) -> None:
    await ground.sql.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1", ground.role
    )


async def test_error_caught_within_a_savepoint_ends_the_session(database: Database) -> None:
    before = await server_process(database)
    assert await server_process(database) == before
    async with database.transaction() as connection:
        with suppress(asyncpg.ReadOnlySQLTransactionError):
            async with connection.transaction():
                await connection.execute("SET LOCAL transaction_read_only = on")
                await connection.fetch("DELETE FROM outbox RETURNING id")
                pytest.fail("a write went through")
    assert await server_process(database) != before


async def test_error_caught_outside_of_a_transaction_ends_the_session(database: Database) -> None:
    async with database.connection() as connection:
        before = await connection.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute(_WRITE)
    assert await server_process(database) != before


async def test_error_of_the_data_keeps_the_session(database: Database) -> None:
    before = await server_process(database)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with database.transaction() as connection:
            await connection.fetchval("SELECT 1 / 0")
    assert await server_process(database) == before


async def test_old_session_is_replaced(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await server_process(database)
    async with database.connection():
        monkeypatch.setattr(sessions, "SESSION_SECONDS_MAX", 0.0)
    monkeypatch.undo()
    assert await server_process(database) != before


async def test_new_session_sends_no_statement_but_its_own(database: Database) -> None:
    session = await database.dedicated()
    sent: list[str] = []
    session.add_query_logger(lambda query: sent.append(query.query))
    arrays = ", ".join(f"${number}::{each}[] AS {each}" for number, each in enumerate(ARRAY_TYPES, 1))
    row = await session.fetchrow(f"SELECT {arrays}", *([None] for _ in ARRAY_TYPES))
    assert row is not None
    assert dict(row) == {each: [None] for each in ARRAY_TYPES}
    assert await session.fetchval("SELECT $1::bigint[]", [1, 2**40]) == [1, 2**40]
    known = await session.fetch(
        "SELECT typname, oid, typarray FROM pg_type WHERE typname = ANY($1::text[])", [*ARRAY_TYPES]
    )
    assert {name: (oid, array_oid) for name, oid, array_oid in known} == ARRAY_TYPES
    await session.close()
    assert len(sent) == 3, "asyncpg asked the server for types"


async def test_server_that_takes_no_writes_is_refused_until_it_does(
    place: Ground, database: Database
) -> None:
    reader = Database(place.dsn, application_name="reader", read_only=True)
    await reader.start()
    async with taking_no_writes(place):
        await end_sessions(place)
        # The session that was open has ended, and may have been found out already.
        with suppress(asyncpg.PostgresConnectionError, ServerReadOnlyError):
            await database.check()
        with pytest.raises(ServerReadOnlyError, match="the server takes no writes"):
            await database.check()
        with pytest.raises(ServerReadOnlyError):
            await database.dedicated()
        with suppress(asyncpg.PostgresConnectionError):
            await reader.check()
        assert (await reader.check()).ok
    assert (await database.check()).ok
    await reader.stop()


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (asyncpg.ReadOnlySQLTransactionError(), True),
        (asyncpg.AdminShutdownError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.ConnectionFailureError(), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (asyncpg.QueryCanceledError(), False),
        (asyncpg.UniqueViolationError(), False),
        (asyncpg.LockNotAvailableError(), False),
        (KeyError(), False),
    ],
)
def test_errors_that_end_a_session(error: BaseException, ends: bool) -> None:
    assert ends_session(error) is ends
