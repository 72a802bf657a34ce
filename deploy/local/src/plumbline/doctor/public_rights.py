"""Check rights that PostgreSQL grants to PUBLIC by default and that our roles must not have."""

from urllib.parse import urlsplit

import asyncpg

from chassis.process.terminal import plain_reason
from plumbline import databases, dsn, server_rights
from plumbline.doctor.access import APPLY
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

_LIMITS = "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname = ANY($1::text[]) ORDER BY rolname"
_BARRIER = """
SELECT 'security_barrier=true' = ANY(reloptions) FROM pg_class WHERE oid = to_regclass($1)
"""


async def server(target: Target) -> list[Finding]:
    """Check that our roles cannot connect to maintenance databases, and that each has a connection limit."""
    subjects = ("maintenance databases", "connection limits")
    try:
        admin = await databases.connect(target.admin_dsn)
    except StackError as error:
        return [Finding(subject, str(error)) for subject in subjects]
    try:
        connecting = await server_rights.maintenance_connect_roles(admin, databases.LOGIN_ROLES)
        available = await server_rights.connections(admin)
        limits = await admin.fetch(_LIMITS, list(databases.LOGIN_ROLES))
    finally:
        await admin.close()
    open_databases = "; ".join(
        f"{name} may be entered by {', '.join(roles)}" for name, roles in connecting.items()
    )
    unlimited = [
        f"{row['rolname']} ({'no limit' if row['rolconnlimit'] < 0 else row['rolconnlimit']})"
        for row in limits
        if row["rolconnlimit"] < 0 or row["rolconnlimit"] > available // 2
    ]
    return [
        Finding(subjects[0], f"{open_databases}: {APPLY}" if open_databases else ""),
        Finding(
            subjects[1],
            f"may open more than half of the server's {available} connections:"
            f" {', '.join(unlimited)}: {APPLY}"
            if unlimited
            else "",
        ),
    ]


async def functions(target: Target, service: str) -> list[Finding]:
    """Check that only the service and its owner may use advisory locks, and no role large objects."""
    database = urlsplit(target.strings[service]).path.strip("/")
    subject = f"functions of database {database}"
    try:
        admin = await databases.connect(dsn.at_database(target.admin_dsn, database))
    except StackError as error:
        return [Finding(subject, str(error))]
    try:
        callable_functions = await server_rights.open_functions(admin, databases.LOGIN_ROLES, service=service)
        lacks_locks = await server_rights.lacks_locks(admin, [service, databases.owner_role(service)])
    except asyncpg.PostgresError as error:
        return [Finding(subject, f"could not be checked: {plain_reason(error)}; {APPLY}")]
    finally:
        await admin.close()
    if callable_functions:
        if "public" in callable_functions:
            callable_functions = {"PUBLIC": callable_functions["public"]}
        rights = "; ".join(f"{role} may call {names}" for role, names in callable_functions.items())
        return [Finding(subject, f"{rights}: {APPLY}")]
    problem = f"{service} or its owner may not take advisory locks: {APPLY}" if lacks_locks else ""
    return [Finding(subject, problem)]


async def barrier(target: Target) -> list[Finding]:
    """Check that the published view is a security barrier: a reader's function never sees hidden rows."""
    view = f"{databases.VIEWED_SERVICE}.reconciliation_v1"
    subject = f"{view} is a security barrier"
    try:
        connection = await databases.connect(target.strings[dsn.VIEWER])
    except StackError as error:
        return [Finding(subject, f"{error}: {APPLY}")]
    try:
        is_barrier = await connection.fetchval(_BARRIER, view)
    except asyncpg.PostgresError as error:
        return [Finding(subject, f"could not be checked: {plain_reason(error)}; {APPLY}")]
    finally:
        await connection.close()
    remedy = "run `python -m booking migrate`, then ALTER VIEW … SET (security_barrier = true)"
    return [Finding(subject, "" if is_barrier else f"is not: {remedy}")]
