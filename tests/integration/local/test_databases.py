from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from harness.folders import open_to_all
from harness.ports import free_port
from plumbline import databases, dsn, server_rights, waiting
from plumbline.failure import StackError
from plumbline.postgres import EmbeddedPostgres

PASSWORDS = {role: f"{role} it's/@%é" for role in databases.LOGIN_ROLES}
STRING_OF = {
    **{service: dsn.service_variable(service) for service in databases.SERVICES},
    dsn.VIEWER: dsn.VIEWER_VARIABLE,
}


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[EmbeddedPostgres]:
    directory = tmp_path_factory.mktemp("server")
    open_to_all(directory)
    async with EmbeddedPostgres(Path(directory) / "postgres", free_port()) as running:
        await databases.provision(running.admin_dsn, PASSWORDS)
        yield running


def string(server: EmbeddedPostgres, role: str, database: str | None = None) -> str:
    own = databases.connection_strings(server.admin_dsn, PASSWORDS)[STRING_OF[role]]
    return own if database is None else dsn.at_database(own, database)


@pytest.mark.parametrize("role", databases.LOGIN_ROLES)
@pytest.mark.parametrize("service", databases.SERVICES)
async def test_only_the_admitted_get_into_a_database(
    server: EmbeddedPostgres, role: str, service: str
) -> None:
    if role in databases.connecting_roles(service):
        connection = await asyncpg.connect(string(server, role, service))
        assert await connection.fetchval("SHOW search_path") == f"{service}, public"
        await connection.close()
    else:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(string(server, role, service))


@pytest.mark.parametrize("role", databases.LOGIN_ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE x ()",
        "CREATE TABLE public.x ()",
        "CREATE TEMP TABLE x ()",
        "CREATE SCHEMA x",
        "CREATE ROLE x",
        "CREATE DATABASE x",
    ],
)
async def test_login_roles_can_create_nothing(server: EmbeddedPostgres, role: str, statement: str) -> None:
    connection = await asyncpg.connect(string(server, role))
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_viewer_cannot_create_even_when_it_leaves_read_only_mode(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(string(server, dsn.VIEWER))
    try:
        assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
        await connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE x ()")
    finally:
        await connection.close()


@pytest.mark.parametrize("role", databases.LOGIN_ROLES)
@pytest.mark.parametrize("database", server_rights.MAINTENANCE_DATABASES)
async def test_nobody_of_ours_gets_into_the_server_s_own_databases(
    server: EmbeddedPostgres, role: str, database: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(string(server, role, database))


@pytest.mark.parametrize("role", databases.LOGIN_ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_open(1, 131072)",
        "SELECT pg_logical_emit_message(false, 'x', 'x')",
    ],
)
async def test_login_roles_can_fill_no_disk_beside_their_tables(
    server: EmbeddedPostgres, role: str, statement: str
) -> None:
    connection = await asyncpg.connect(string(server, role))
    try:
        await connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function"):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "call",
    [
        "pg_advisory_lock(7310579, 0)",
        "pg_try_advisory_lock(7310579, 0)",
        "pg_advisory_lock_shared(1)",
        "pg_try_advisory_xact_lock(1)",
        "pg_advisory_xact_lock_shared(1, 1)",
    ],
)
async def test_advisory_locks_are_for_the_service_and_its_owner(server: EmbeddedPostgres, call: str) -> None:
    viewer = await asyncpg.connect(string(server, dsn.VIEWER))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function"):
        await viewer.execute(f"SELECT {call}")
    await viewer.close()
    for service in databases.SERVICES:
        own = await asyncpg.connect(string(server, service))
        await own.execute(f"SELECT {call}")
        await own.close()
        admin = await asyncpg.connect(dsn.at_database(server.admin_dsn, service))
        await admin.execute(f"SET ROLE {databases.owner_role(service)}")
        await admin.execute(f"SELECT {call}")
        await admin.close()


async def test_no_role_can_open_all_connections_of_the_server(server: EmbeddedPostgres) -> None:
    async def open_one(stay: AsyncExitStack) -> None:
        connection = await asyncpg.connect(string(server, dsn.VIEWER))
        stay.push_async_callback(connection.close)

    async with AsyncExitStack() as stay:
        for _ in range(5):
            await open_one(stay)
        with pytest.raises(asyncpg.TooManyConnectionsError, match="too many connections for role"):
            await waiting.gather_or_cancel(*(open_one(stay) for _ in range(20)))
    admin = await asyncpg.connect(server.admin_dsn)
    limits = await admin.fetch(
        "SELECT rolconnlimit FROM pg_roles WHERE rolname = ANY($1)", list(databases.LOGIN_ROLES)
    )
    assert 0 < sum(row["rolconnlimit"] for row in limits) <= await server_rights.connections(admin)
    await admin.close()


@pytest.mark.parametrize("service", databases.SERVICES)
async def test_owner_cannot_log_in_and_owns_database_and_schema(
    server: EmbeddedPostgres, service: str
) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(dsn.as_role(string(server, service), databases.owner_role(service), "any"))

    admin = await asyncpg.connect(dsn.at_database(server.admin_dsn, service))
    try:
        await admin.execute(f'SET ROLE "{databases.owner_role(service)}"')
        await admin.execute("CREATE TABLE made_by_owner (); DROP TABLE made_by_owner")
        assert await admin.fetchval("SELECT current_schema()") == service
    finally:
        await admin.close()


async def test_provisioning_again_keeps_data_and_brings_everything_in_line(server: EmbeddedPostgres) -> None:
    admin = await asyncpg.connect(dsn.at_database(server.admin_dsn, "audit"))
    try:
        await admin.execute("CREATE TABLE audit.kept AS SELECT 1 AS value")
        await admin.execute("GRANT CONNECT ON DATABASE audit, postgres, template1 TO PUBLIC, booking")
        await admin.execute("ALTER ROLE audit CONNECTION LIMIT -1")
        await admin.execute("GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint), lo_create(oid) TO PUBLIC")
        await admin.execute("ALTER ROLE audit PASSWORD 'another'; ALTER SCHEMA audit OWNER TO postgres")

        await databases.provision(server.admin_dsn, PASSWORDS)

        assert await admin.fetchval("SELECT value FROM audit.kept") == 1
        owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'audit'"
        assert await admin.fetchval(owner) == "audit_owner"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(string(server, "booking", "audit"))
        assert await server_rights.maintenance_connect_roles(admin, databases.LOGIN_ROLES) == {}
        assert await server_rights.open_functions(admin, databases.LOGIN_ROLES, service="audit") == {}
        limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'audit'"
        assert 0 < await admin.fetchval(limit) < 100
        await (await asyncpg.connect(string(server, "audit"))).close()
    finally:
        await admin.close()


async def test_several_suites_provision_one_server_at_once(server: EmbeddedPostgres) -> None:
    suites = [databases.prefixed(f"suite{number}_") for number in range(4)]

    await waiting.gather_or_cancel(
        *(databases.provision(server.admin_dsn, PASSWORDS, databases=names) for names in suites)
    )

    for names in suites:
        connection = await asyncpg.connect(string(server, "booking", names["booking"]))
        assert await connection.fetchval("SHOW search_path") == "booking, public"
        await connection.close()


@pytest.mark.parametrize("name", ["", "Booking", 'a"b', "a;b", "1a", "a" * 64])
async def test_name_that_is_none_is_refused_before_anything_is_done(
    server: EmbeddedPostgres, name: str
) -> None:
    with pytest.raises(StackError, match="database name"):
        await databases.provision(server.admin_dsn, PASSWORDS, databases={"booking": name})


async def test_server_away_is_one_line_without_the_password() -> None:
    with pytest.raises(
        StackError, match=r"PostgreSQL at 127\.0\.0\.1:\d+/postgres as postgres cannot"
    ) as refusal:
        await databases.provision(f"postgresql://postgres:hidden@127.0.0.1:{free_port()}/postgres", PASSWORDS)

    assert "hidden" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


async def test_who_is_no_superuser_is_told_in_one_line(server: EmbeddedPostgres) -> None:
    with pytest.raises(StackError, match="let POSTGRES_ADMIN_DSN name a superuser") as refused:
        await databases.provision(string(server, "booking"), PASSWORDS)
    assert "\n" not in str(refused.value)
