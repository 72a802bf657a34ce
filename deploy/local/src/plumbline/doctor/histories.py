"""Checks of the schema: migrations are applied, and no history can be changed by anybody."""

import importlib.util
from collections.abc import Mapping
from urllib.parse import urlsplit

import asyncpg

from chassis.postgres import DATABASE_ERRORS, Database
from chassis.postgres.append_only import (
    NotAppendOnlyError,
    assert_append_only,
    forbidden_statements,
)
from chassis.postgres.migrations import find_migrations
from chassis.process.terminal import in_one_line
from plumbline import databases, dsn
from plumbline.databases import Connection
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

APPEND_ONLY = {
    "booking": ("status_transition", "dead_letter_action"),
    "audit": ("event_log", "event_payload", "event_rendering", "status_history"),
    "reconciler": ("exception_event", "dead_letter_action"),
}
"""Tables whose rows stay as they are for ever (BK-5, AU-3, REC-9)."""

# As the owner, and in the mode in which ordinary triggers are asleep.
_AS_OWNER = """
SET LOCAL session_replication_role = replica;
SET LOCAL ROLE "{owner}";
"""

# TRUNCATE waits for everybody who uses the table, and they for it: not for long.
_TABLE_LOCK = "SET LOCAL lock_timeout = '300ms'"


async def migrations(target: Target, service: str) -> list[Finding]:
    """Every migration of the installed version is applied."""
    subject = f"migrations of {service}"
    if importlib.util.find_spec(service) is None:
        return [Finding(subject, f"{service} is not installed here, so they cannot be compared")]
    try:
        connection = await databases.connect(target.strings[service])
    except StackError as error:
        return [Finding(subject, str(error))]
    try:
        rows = await connection.fetch("SELECT package, name, sha256 FROM schema_migration")
        applied: dict[tuple[str, str], str] = {(row["package"], row["name"]): row["sha256"] for row in rows}
        problem = _migrations_problem(service, applied)
    except asyncpg.UndefinedTableError:
        problem = f"none is applied; run `python -m {service} migrate`"
    except asyncpg.PostgresError as error:
        problem = f"could not be checked: {in_one_line(error)}; run `python -m {service} migrate`"
    finally:
        await connection.close()
    return [Finding(subject, problem)]


def _migrations_problem(service: str, applied: Mapping[tuple[str, str], str]) -> str:
    files = {(file.package, file.name): file.sha256 for file in find_migrations(["chassis", service])}
    if pending := [name for package, name in files if (package, name) not in applied]:
        return f"not applied: {', '.join(pending)}; run `python -m {service} migrate`"
    if changed := [file[1] for file, digest in files.items() if applied[file] != digest]:
        return f"changed after it was applied: {', '.join(changed)}; restore the file, add a new one instead"
    if unknown := [name for package, name in applied if (package, name) not in files]:
        return f"applied, and not of this version: {', '.join(unknown)}; examine with the version deployed"
    return ""


async def append_only(target: Target, service: str) -> list[Finding]:
    """Changing a history is refused to the service's role, and by trigger to the owner."""
    return [await _table(target, service, table) for table in APPEND_ONLY[service]]


async def _table(target: Target, service: str, table: str) -> Finding:
    subject = f"{service}.{table} is append-only"
    own = Database(target.strings[service], application_name="plumbline-doctor", connections_max=1)
    try:
        await own.start()
        await assert_append_only(own, [table], packages=("chassis", service))
        return Finding(subject, await _refused_to_owner(target, service, table))
    except NotAppendOnlyError as error:
        return Finding(subject, str(error))
    except StackError as error:
        return Finding(subject, str(error))
    except DATABASE_ERRORS as error:
        problem = f"could not be checked: {in_one_line(error)}; run `python -m {service} migrate`"
        return Finding(subject, problem)
    finally:
        await own.stop()


async def _refused_to_owner(target: Target, service: str, table: str) -> str:
    """Try to change, delete and empty it as the owner, in a transaction that is never committed."""
    database = urlsplit(target.strings[service]).path.strip("/")
    admin = await databases.connect(dsn.at_database(target.admin_dsn, database))
    try:
        transaction = admin.transaction()
        await transaction.start()
        try:
            return await _try(admin, databases.owner_role(service), table)
        finally:
            await transaction.rollback()
    finally:
        await admin.close()


async def _try(admin: Connection, owner: str, table: str) -> str:
    # Two steps: what refuses the way there, for want of a right of the administrator's, refuses no change.
    if reason := await _refusal(admin, _AS_OWNER.format(owner=owner)):
        return f"could not be tried as {owner}, {reason}: let {dsn.ADMIN_VARIABLE} name a superuser"
    await admin.execute(_TABLE_LOCK)
    for statement in await forbidden_statements(admin, table):
        if not await _refused(admin, statement):
            return (
                f"the owner could {statement.split()[0]}: restore triggers and function from the migrations"
            )
    return ""


async def _refused(admin: Connection, statement: str) -> bool:
    """Return whether the statement was refused; a table that is in use all the time is given the benefit."""
    # Other histories may refer to this one, which would refuse TRUNCATE before any trigger is asked.
    cascading = f"{statement} CASCADE" if statement.startswith("TRUNCATE") else statement
    try:
        async with admin.transaction():
            await admin.execute(cascading)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.LockNotAvailableError):
        return True
    return False


async def _refusal(admin: Connection, statements: str) -> str:
    """In what words the right to do this was refused; empty if it was done."""
    try:
        await admin.execute(statements)
    except asyncpg.InsufficientPrivilegeError as error:
        return in_one_line(error)
    return ""
