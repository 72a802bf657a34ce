"""Check that a service's role has exactly the rights that the installed migrations grant."""

import importlib.util
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import asyncpg

from chassis.postgres.migrations import find_migrations
from chassis.process.terminal import plain_reason
from plumbline import databases, dsn
from plumbline.doctor.access import APPLY
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

Right = tuple[str, str]
"""Table and privilege, e.g. ("booking", "UPDATE (status)"); each column is a right of its own."""

_STATEMENT = re.compile(
    r"^\s*(GRANT|REVOKE)\s+([^;]+?)\s+ON\s+(?:TABLE\s+|SEQUENCE\s+)?([\w\s,]+?)\s+(?:TO|FROM)\s+([\w\s,]+?)\s*;",
    re.MULTILINE,
)
_PRIVILEGE = re.compile(r"(\w+)(?:\s*\(([^)]*)\))?")

# Rights on tables, columns and sequences: of the role, of PUBLIC, of roles of which it is a member.
_HELD = """
WITH held AS (
    SELECT 0::oid AS role
    UNION SELECT oid FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER')
)
SELECT c.relname, acl.privilege_type, NULL AS attname
FROM pg_class AS c
CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
WHERE c.relnamespace = $2::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    AND acl.grantee IN (SELECT role FROM held)
UNION ALL
SELECT c.relname, acl.privilege_type, a.attname
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
WHERE c.relnamespace = $2::regnamespace AND acl.grantee IN (SELECT role FROM held)
"""


async def grants(target: Target, service: str) -> list[Finding]:
    """Compare the rights of a service's role with those that its migrations grant."""
    subject = f"grants of {service}"
    if importlib.util.find_spec(service) is None:
        return [Finding(subject, f"{service} is not installed here, so its grants cannot be compared")]
    database = urlsplit(target.strings[service]).path.strip("/")
    try:
        admin = await databases.connect(dsn.at_database(target.admin_dsn, database))
    except StackError as error:
        return [Finding(subject, str(error))]
    try:
        rows = await admin.fetch(_HELD, service, service)
    except asyncpg.PostgresError as error:
        return [Finding(subject, f"could not be checked: {plain_reason(error)}; {APPLY}")]
    finally:
        await admin.close()
    held = {(row["relname"], _right_name(row["privilege_type"], row["attname"])) for row in rows}
    expected = granted((migration.sql for migration in find_migrations(["chassis", service])), service)
    return [Finding(subject, _difference(service, held, expected))]


def granted(texts: Iterable[str], role: str) -> set[Right]:
    """Return the rights of a role after the GRANT and REVOKE statements of `texts`, in order."""
    rights: set[Right] = set()
    for text in texts:
        for verb, privileges, tables, roles in _STATEMENT.findall(text):
            if role in _names(roles):
                change = {(table, right) for table in _names(tables) for right in _privileges(privileges)}
                rights = rights | change if verb == "GRANT" else rights - change
    return rights


def _privileges(text: str) -> list[str]:
    privileges: list[str] = []
    for privilege, columns in _PRIVILEGE.findall(text):
        privileges += [_right_name(privilege, column) for column in _names(columns)] or [privilege.upper()]
    return privileges


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,]+", text) if name]


def _right_name(privilege: str, column: str | None) -> str:
    return privilege.upper() if column is None else f"{privilege.upper()} ({column})"


def _difference(service: str, held: set[Right], expected: set[Right]) -> str:
    extra = [
        f"REVOKE {right} ON {service}.{table} FROM {service}" for table, right in sorted(held - expected)
    ]
    if not held:
        return f"has no right to any table: run `python -m {service} migrate`"
    lacking = [f"GRANT {right} ON {service}.{table} TO {service}" for table, right in sorted(expected - held)]
    if extra:
        return f"has more rights than its migrations grant (own, PUBLIC's or as a member): {'; '.join(extra)}"
    return f"lacks rights that its migrations grant: {'; '.join(lacking)}" if lacking else ""
