"""Databases, roles and their rights: one implementation for every kind of deployment.

The embedded stack, the tests and `plumbline databases apply` (docker compose, a cluster) use this module.
For each service there is a database with a schema of the service's name, a role `<service>_owner` that owns
both, a role `<service>_eraser`, and a login role `<service>` that may only use the schema. Owner and eraser
cannot log in. The service's migrations run as the owner and grant the login role its rights on tables.
No other role may connect, with one exception: `reconciler_booking_view` may connect to booking's database,
where booking's migration grants it the published view (REC-2). `server_rights` revokes the rights that
PostgreSQL grants to PUBLIC.

Role names are fixed because roles belong to the whole server. Database names are free, so that several test
suites can share a server.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg

from chassis.postgres import DATABASE_ERRORS
from chassis.postgres.advisory_locks import DATABASE_SET_UP
from chassis.process.terminal import plain_reason
from plumbline import dsn, server_rights, waiting
from plumbline.failure import StackError

SERVICES = ("booking", "audit", "reconciler")
"""Services with a database; schema and login role are named like the service."""

VIEWED_SERVICE = "booking"
LOGIN_ROLES = (*SERVICES, dsn.VIEWER)

DATABASES: Mapping[str, str] = MappingProxyType({service: service for service in SERVICES})
"""Default: service → name of its database."""

_CONNECT_SECONDS_MAX = 10.0
_COMMAND_SECONDS_MAX = 60.0
_LOCK_SECONDS_MAX = 60.0
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

_CREATE_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE "{role}" NOLOGIN; END IF;
END $$;
"""

_ALLOW_LOGIN = """
ALTER ROLE "{role}" LOGIN PASSWORD {password};
"""

_READ_ONLY = f"""
ALTER ROLE "{dsn.VIEWER}" SET default_transaction_read_only = on;
"""

# The builtin locale gives the same order of strings on every server.
_CREATE_DATABASE = """
CREATE DATABASE "{database}" OWNER "{owner}"
    TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'
"""

_CLOSE_DATABASE = """
ALTER DATABASE "{database}" OWNER TO "{owner}";
ALTER DATABASE "{database}" SET search_path = "{service}", public;
ALTER DATABASE "{database}" SET timezone = 'UTC';
REVOKE ALL ON DATABASE "{database}" FROM PUBLIC, {everybody};
GRANT CONNECT ON DATABASE "{database}" TO {admitted};
"""

# A login that is a member of the eraser connects by this right.
_ADMIT_ERASER = """
GRANT CONNECT ON DATABASE "{database}" TO {eraser};
"""

_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS "{service}";
ALTER SCHEMA "{service}" OWNER TO "{owner}";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA "{service}" FROM PUBLIC, {everybody};
GRANT USAGE ON SCHEMA "{service}" TO {admitted};
"""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def prefixed(prefix: str) -> dict[str, str]:
    """Return the database names of a test suite, e.g. `t1_` → `t1_booking`."""
    return {service: f"{prefix}{service}" for service in SERVICES}


def connecting_roles(service: str) -> tuple[str, ...]:
    """Return the login roles that may connect to a service's database."""
    return (service, dsn.VIEWER) if service == VIEWED_SERVICE else (service,)


def eraser_role(service: str) -> str:
    """Return the role without login that may erase personal data of a service (docs/privacy.md)."""
    return f"{service}_eraser"


def owner_role(service: str) -> str:
    """Return the role without login that owns a service's database and every object in it."""
    return f"{service}_owner"


async def provision(
    admin_dsn: str, passwords: Mapping[str, str], *, databases: Mapping[str, str] = DATABASES
) -> None:
    """Create or update roles, databases and schemas as the module describes.

    Safe to repeat and to run concurrently. Tables and their rows are not changed.

    Args:
        admin_dsn: a superuser's connection to any database of the server.
        passwords: login role → password, for all `LOGIN_ROLES`.
        databases: service → name of its database.

    Raises:
        StackError: the server cannot be reached or refuses something, or a name is not `[a-z][a-z0-9_]*`.
    """
    for name in databases.values():
        _check_name(name)
    admin = await connect(admin_dsn)
    try:
        await _lock(admin)
        await _provision_roles(admin, passwords)
        for service, database in databases.items():
            await _provision_database(admin, service, database)
            await _provision_schema(dsn.at_database(admin_dsn, database), service)
    except asyncpg.InsufficientPrivilegeError as error:
        raise StackError(f"{plain_reason(error)}: let {dsn.ADMIN_VARIABLE} name a superuser") from error
    except DATABASE_ERRORS as error:
        raise StackError(f"databases: {plain_reason(error)}") from error
    finally:
        await admin.close()


def connection_strings(
    admin_dsn: str, passwords: Mapping[str, str], *, databases: Mapping[str, str] = DATABASES
) -> dict[str, str]:
    """Return the services' connection strings by variable, e.g. `BOOKING_POSTGRES_DSN`."""
    return dsn.for_services(admin_dsn, passwords, databases, viewed=VIEWED_SERVICE)


def migration_string(
    admin_dsn: str, service: str, *, databases: Mapping[str, str] = DATABASES
) -> dict[str, str]:
    """Return the connection string for `migrate` of one service, by variable."""
    return {dsn.migrations_variable(service): dsn.at_database(admin_dsn, databases[service])}


async def connect(address: str) -> Connection:
    """Open a connection within bounded time.

    Raises:
        StackError: one line that names the server and never the password.
    """
    try:
        return await asyncpg.connect(
            address, timeout=_CONNECT_SECONDS_MAX, command_timeout=_COMMAND_SECONDS_MAX
        )
    except DATABASE_ERRORS as error:
        parts = urlsplit(address)  # asyncpg raises another error for a malformed address
        where = f"{parts.netloc.rpartition('@')[2]}{parts.path} as {parts.username}"
        raise StackError(f"PostgreSQL at {where} cannot be reached: {plain_reason(error)}") from error


async def _lock(admin: Connection) -> None:
    # One provisioning at a time. The server releases the lock when the connection closes.
    async def locked() -> bool:
        return bool(await admin.fetchval("SELECT pg_try_advisory_lock($1)", DATABASE_SET_UP))

    if not await waiting.until(locked, seconds_max=_LOCK_SECONDS_MAX):
        raise StackError(
            f"another provisioning has held its lock for {_LOCK_SECONDS_MAX:.0f} s: try again later"
        )


async def _provision_roles(admin: Connection, passwords: Mapping[str, str]) -> None:
    for service in SERVICES:
        await admin.execute(_CREATE_ROLE.format(role=owner_role(service)))
        await admin.execute(_CREATE_ROLE.format(role=eraser_role(service)))
    for role in LOGIN_ROLES:
        password = await admin.fetchval("SELECT quote_literal($1)", passwords[role])
        await admin.execute(_CREATE_ROLE.format(role=role))
        await admin.execute(_ALLOW_LOGIN.format(role=role, password=password))
    await admin.execute(_READ_ONLY)
    percent = dict.fromkeys(SERVICES, server_rights.CONNECTION_PERCENT_MAX)
    await server_rights.limit_connections(admin, percent | {dsn.VIEWER: server_rights.VIEWER_PERCENT_MAX})
    await server_rights.close_maintenance_databases(admin, LOGIN_ROLES)


async def _provision_database(admin: Connection, service: str, database: str) -> None:
    if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database):
        await admin.execute(_CREATE_DATABASE.format(database=database, owner=owner_role(service)))
    await admin.execute(_CLOSE_DATABASE.format(database=database, **_roles_of(service)))
    await admin.execute(_ADMIT_ERASER.format(database=database, eraser=eraser_role(service)))


async def _provision_schema(admin_dsn: str, service: str) -> None:
    connection = await connect(admin_dsn)
    try:
        await connection.execute(_SCHEMA.format(**_roles_of(service)))
        await server_rights.close_functions(
            connection,
            everybody=", ".join(LOGIN_ROLES),
            needing=f"{service}, {owner_role(service)}, {eraser_role(service)}",
        )
    finally:
        await connection.close()


def _roles_of(service: str) -> dict[str, str]:
    return {
        "service": service,
        "owner": owner_role(service),
        "admitted": ", ".join(connecting_roles(service)),
        "everybody": ", ".join(LOGIN_ROLES),
    }


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise StackError(f"database name {name!r}: use a-z, 0-9 and _ only, a letter first, at most 63")
