"""Rights that PostgreSQL grants to PUBLIC and that no service needs: revocation and checks.

Advisory locks belong to a whole database: a read-only role could take the locks by which relays share work.
Large objects and logical messages fill the disk. Connections belong to the whole server.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

MAINTENANCE_DATABASES = ("postgres", "template1")
"""Databases of every server; PUBLIC may connect until the right is revoked."""

CONNECTION_PERCENT_MAX = 30
"""Percent of the server's connections for a service's role. Three services and the viewer use 100."""
VIEWER_PERCENT_MAX = 10
_CONNECTIONS_MIN = 5

# Function names. PUBLIC keeps unlocking: a session can unlock only its own locks, and pools need that.
_ADVISORY = "^pg_(try_)?advisory_(xact_)?lock"
_WRITING = "^(lo_.*|loread|lowrite|pg_logical_emit_message)$"

_FUNCTIONS = """
SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ $1
"""

# has_function_privilege accepts the pseudo-role public.
_OPEN_FUNCTIONS = """
SELECT role, string_agg(DISTINCT proname, ', ' ORDER BY proname) AS functions
FROM pg_proc CROSS JOIN unnest($1::text[]) AS role
WHERE pronamespace = 'pg_catalog'::regnamespace AND has_function_privilege(role, pg_proc.oid, 'EXECUTE')
    AND (proname ~ $4 OR proname ~ $3 AND role <> $2)
GROUP BY role ORDER BY role
"""

_LACKING_FUNCTIONS = """
SELECT count(*) FROM pg_proc CROSS JOIN unnest($1::text[]) AS role
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ $2
    AND NOT has_function_privilege(role, pg_proc.oid, 'EXECUTE')
"""

_MAINTENANCE_CONNECT = """
SELECT datname, array_agg(role ORDER BY role) AS roles
FROM pg_database CROSS JOIN unnest($1::text[]) AS role
WHERE datname = ANY($2::text[]) AND has_database_privilege(role, datname, 'CONNECT')
GROUP BY datname ORDER BY datname
"""

# Connections for roles that are not superusers.
_CONNECTIONS = """
SELECT sum(CASE name WHEN 'max_connections' THEN setting::integer ELSE -setting::integer END)::integer
FROM pg_settings
WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
"""


async def connections(admin: Connection) -> int:
    """Return the number of connections that the server has for roles that are not superusers."""
    number: int = await admin.fetchval(_CONNECTIONS)
    return number


async def limit_connections(admin: Connection, percent_of: Mapping[str, int]) -> None:
    """Limit each role to its percentage of the server's connections."""
    available = await connections(admin)
    for role, percent in percent_of.items():
        limit = max(_CONNECTIONS_MIN, available * percent // 100)
        await admin.execute(f'ALTER ROLE "{role}" CONNECTION LIMIT {limit}')


async def close_maintenance_databases(admin: Connection, roles: Sequence[str]) -> None:
    """Revoke access to the maintenance databases from PUBLIC and `roles`."""
    rows = await admin.fetch(
        "SELECT datname FROM pg_database WHERE datname = ANY($1::text[])", MAINTENANCE_DATABASES
    )
    for row in rows:
        await admin.execute(f'REVOKE ALL ON DATABASE "{row["datname"]}" FROM PUBLIC, {", ".join(roles)}')


async def close_functions(connection: Connection, *, everybody: str, needing: str) -> None:
    """Revoke advisory locks, large objects and logical messages from PUBLIC and `everybody` in this database.

    Args:
        connection: a superuser's.
        everybody: login roles, comma-separated.
        needing: roles that need advisory locks, comma-separated.
    """
    advisory: str = await connection.fetchval(_FUNCTIONS, _ADVISORY)
    writing: str = await connection.fetchval(_FUNCTIONS, _WRITING)
    # One transaction: roles that need locks keep the right at all times.
    await connection.execute(
        f"REVOKE EXECUTE ON FUNCTION {advisory}, {writing} FROM PUBLIC, {everybody};"
        f"GRANT EXECUTE ON FUNCTION {advisory} TO {needing}"
    )


async def maintenance_connect_roles(admin: Connection, roles: Sequence[str]) -> dict[str, list[str]]:
    """Return maintenance database → those of `roles` that may connect to it."""
    rows = await admin.fetch(_MAINTENANCE_CONNECT, list(roles), list(MAINTENANCE_DATABASES))
    return {row["datname"]: row["roles"] for row in rows}


async def open_functions(connection: Connection, roles: Sequence[str], *, service: str) -> dict[str, str]:
    """Return role → functions that PUBLIC and `roles` may call in this database but should not."""
    rows = await connection.fetch(_OPEN_FUNCTIONS, ["public", *roles], service, _ADVISORY, _WRITING)
    return {row["role"]: row["functions"] for row in rows}


async def lacks_locks(connection: Connection, roles: Sequence[str]) -> bool:
    """Return whether one of `roles` lacks the right to take advisory locks."""
    return bool(await connection.fetchval(_LACKING_FUNCTIONS, list(roles), _ADVISORY))
