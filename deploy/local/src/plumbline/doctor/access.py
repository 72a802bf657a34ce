"""Check which roles may do what in PostgreSQL, against the rules of `plumbline.databases`."""

from urllib.parse import urlsplit

import asyncpg

from chassis.process.terminal import plain_reason
from plumbline import databases, dsn
from plumbline.databases import Connection
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

APPLY = "run `plumbline databases apply`"

_ROLE = """
SELECT rolcanlogin AS can_login,
       rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication AS has_server_rights
FROM pg_roles WHERE rolname = $1
"""

_OWNER = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"

_CONNECTING_ROLES = """
SELECT coalesce(array_agg(role ORDER BY role), '{}')
FROM unnest($1::text[]) AS role WHERE has_database_privilege(role, current_database(), 'CONNECT')
"""

# The viewer's rights beyond SELECT on the published views.
_VIEWER_EXCESS = """
SELECT c.relname || ': ' || p.privilege
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = $2
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege($1, c.oid, p.privilege)
  AND NOT (c.relname = ANY($3::text[]) AND p.privilege = 'SELECT')
"""

_VIEWS_READABLE = """
SELECT coalesce(bool_and(has_table_privilege($1, to_regclass(view), 'SELECT')), false)
    AND bool_and(to_regclass(view) IS NOT NULL)
FROM unnest($2::text[]) AS view
"""

VIEWS = (
    "reconciliation_v1",
    "reconciliation_status_v1",
    "stripe_event_v1",
    "stripe_payment_v1",
    "stripe_object_v1",
)
"""The views that booking publishes for the reconciler."""


async def roles(target: Target) -> list[Finding]:
    """Check that owner roles cannot log in, and that login roles have no server-wide rights."""
    try:
        admin = await databases.connect(target.admin_dsn)
    except StackError as error:
        return [Finding("postgres", str(error))]
    try:
        can_login = {databases.owner_role(service): False for service in databases.SERVICES}
        can_login |= dict.fromkeys(databases.LOGIN_ROLES, True)
        return [Finding("postgres"), *[await _role(admin, name, login) for name, login in can_login.items()]]
    finally:
        await admin.close()


async def database_access(target: Target, service: str) -> list[Finding]:
    """Check that a service's role can connect to its database, and that no other role can."""
    database = urlsplit(target.strings[service]).path.strip("/")
    subject = f"database {database}"
    try:
        own = await databases.connect(target.strings[service])
        await own.close()
        admin = await databases.connect(dsn.at_database(target.admin_dsn, database))
    except StackError as error:
        return [Finding(subject, f"{error}: {APPLY}")]
    try:
        return [Finding(subject, await _access_problem(admin, service))]
    finally:
        await admin.close()


async def viewer(target: Target) -> list[Finding]:
    """Check that the reconciler can read booking's published views and has no other rights there (REC-2)."""
    subject = f"role {dsn.VIEWER} reads booking.reconciliation_v1 only"
    string = target.strings[dsn.VIEWER]
    try:
        connection = await databases.connect(string)
    except StackError as error:
        return [Finding(subject, f"{error}: {APPLY}")]
    try:
        views = [f"{databases.VIEWED_SERVICE}.{name}" for name in VIEWS]
        if not await connection.fetchval(_VIEWS_READABLE, dsn.VIEWER, views):
            return [
                Finding(subject, "cannot read the views, or one is missing: run `python -m booking migrate`")
            ]
        excess = await connection.fetch(_VIEWER_EXCESS, dsn.VIEWER, databases.VIEWED_SERVICE, list(VIEWS))
        rights = ", ".join(row[0] for row in excess)
        return [Finding(subject, f"has additional rights, revoke them: {rights}" if rights else "")]
    except asyncpg.PostgresError as error:
        return [Finding(subject, f"could not be checked: {plain_reason(error)}; {APPLY}")]
    finally:
        await connection.close()


async def _role(admin: Connection, name: str, login: bool) -> Finding:
    row = await admin.fetchrow(_ROLE, name)
    if row is None:
        return Finding(f"role {name}", f"does not exist: {APPLY}")
    if row["has_server_rights"]:
        return Finding(f"role {name}", "has server-wide rights: ALTER ROLE … NOSUPERUSER and so on")
    if row["can_login"] != login:
        return Finding(
            f"role {name}", "can log in: ALTER ROLE … NOLOGIN" if not login else f"cannot log in: {APPLY}"
        )
    return Finding(f"role {name}")


async def _access_problem(admin: Connection, service: str) -> str:
    owner = await admin.fetchval(_OWNER)
    if owner != databases.owner_role(service):
        return f"belongs to {owner}, not to {databases.owner_role(service)}: {APPLY}"
    connecting = await admin.fetchval(_CONNECTING_ROLES, list(databases.LOGIN_ROLES))
    if connecting != sorted(databases.connecting_roles(service)):
        expected = ", ".join(databases.connecting_roles(service))
        return f"may be entered by {', '.join(connecting) or 'no role'}, expected {expected}: {APPLY}"
    return ""
