"""What a service's role may do with tables: exactly what the installed migrations grant, no more, no less."""

import importlib.util
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import asyncpg

from chassis.postgres.migrations import find_migrations
from chassis.process.terminal import in_one_line
from plumbline import databases, dsn
from plumbline.doctor.entrances import APPLY
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

Right = tuple[str, str]
"""Table and privilege, e.g. ("booking", "UPDATE (status)"); one column a right."""

_STATEMENT = re.compile(
    r"^\s*(GRANT|REVOKE)\s+([^;]+?)\s+ON\s+(?:TABLE\s+)?([\w\s,]+?)\s+(?:TO|FROM)\s+([\w\s,]+?)\s*;",
    re.MULTILINE,
)
_PRIVILEGE = re.compile(r"(\w+)(?:\s*\(([^)]*)\))?")

# On tables and their columns, to the role itself, to PUBLIC, and to roles that it is a member of.
_HELD = """
WITH held AS (
    SELECT 0::oid AS role
    UNION SELECT oid FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER')
)
SELECT c.relname, acl.privilege_type, NULL AS attname
FROM pg_class AS c
CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
WHERE c.relnamespace = $2::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    AND acl.grantee IN (SELECT role FROM held)
UNION ALL
SELECT c.relname, acl.privilege_type, a.attname
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
WHERE c.relnamespace = $2::regnamespace AND acl.grantee IN (SELECT role FROM held)
"""


async def grants(target: Target, service: str) -> list[Finding]:
    """The service's role holds the rights that its migrations grant."""
    subject = f"grants of {service}"
    if importlib.util.find_spec(service) is None:
        return [Finding(subject, f"{service} is not installed here, so they cannot be compared")]
    database = urlsplit(target.strings[service]).path.strip("/")
    try:
        admin = await databases.connect(dsn.at_database(target.admin_dsn, database))
    except StackError as error:
        return [Finding(subject, str(error))]
    try:
        rows = await admin.fetch(_HELD, service, service)
    except asyncpg.PostgresError as error:
        return [Finding(subject, f"could not be checked: {in_one_line(error)}; {APPLY}")]
    finally:
        await admin.close()
    held = {(row["relname"], _spelt(row["privilege_type"], row["attname"])) for row in rows}
    wanted = granted((migration.sql for migration in find_migrations(["chassis", service])), service)
    return [Finding(subject, _difference(service, held, wanted))]


def granted(texts: Iterable[str], role: str) -> set[Right]:
    """What a role holds after the GRANT and REVOKE statements of migrations, in their order."""
    rights: set[Right] = set()
    for text in texts:
        for verb, privileges, tables, roles in _STATEMENT.findall(text):
            if role in _names(roles):
                named = {(table, privilege) for table in _names(tables) for privilege in _each(privileges)}
                rights = rights | named if verb == "GRANT" else rights - named
    return rights


def _each(privileges: str) -> list[str]:
    found: list[str] = []
    for privilege, columns in _PRIVILEGE.findall(privileges):
        found += [_spelt(privilege, column) for column in _names(columns)] or [privilege.upper()]
    return found


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,]+", text) if name]


def _spelt(privilege: str, column: str | None) -> str:
    return privilege.upper() if column is None else f"{privilege.upper()} ({column})"


def _difference(service: str, held: set[Right], wanted: set[Right]) -> str:
    extra = [f"REVOKE {right} ON {service}.{table} FROM {service}" for table, right in sorted(held - wanted)]
    if not held:
        return f"holds no right to any table: run `python -m {service} migrate`"
    lacking = [f"GRANT {right} ON {service}.{table} TO {service}" for table, right in sorted(wanted - held)]
    if extra:
        return f"has more than its migrations grant (itself, by PUBLIC or as a member): {'; '.join(extra)}"
    return f"lacks what its migrations grant: {'; '.join(lacking)}" if lacking else ""
