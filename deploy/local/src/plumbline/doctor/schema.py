"""Check a service's schema: all migrations are applied, and append-only tables refuse changes."""

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
from chassis.process.terminal import plain_reason
from plumbline import databases, dsn
from plumbline.databases import Connection
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

APPEND_ONLY = {
    "booking": (
        "status_transition",
        "booking_revision",
        "money_fact",
        "money_entry",
        "imported_booking",
        "dead_letter_action",
    ),
    "audit": (
        *("event_log", "event_payload", "event_rendering", "payload_retention", "status_history"),
        *("log_leaf", "log_tile", "log_checkpoint", "log_submission", "log_cosignature"),
    ),
    "reconciler": ("exception_event", "dead_letter_action"),
}
"""Tables whose rows never change (BK-5, AU-3, REC-9), by service."""

# As the owner, and in replica mode, in which ordinary triggers do not fire.
_AS_OWNER = """
SET LOCAL session_replication_role = replica;
SET LOCAL ROLE "{owner}";
"""

# TRUNCATE waits for all other users of the table, and new users wait for TRUNCATE: keep this short.
_TABLE_LOCK = "SET LOCAL lock_timeout = '300ms'"


async def migrations(target: Target, service: str) -> list[Finding]:
    """Check that all migrations of the installed version are applied, unchanged."""
    subject = f"migrations of {service}"
    if importlib.util.find_spec(service) is None:
        return [Finding(subject, f"{service} is not installed here, so its migrations cannot be compared")]
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
        problem = f"could not be checked: {plain_reason(error)}; run `python -m {service} migrate`"
    finally:
        await connection.close()
    return [Finding(subject, problem)]


def _migrations_problem(service: str, applied: Mapping[tuple[str, str], str]) -> str:
    files = {(file.package, file.name): file.sha256 for file in find_migrations(["chassis", service])}
    if pending := [name for package, name in files if (package, name) not in applied]:
        return f"not applied: {', '.join(pending)}; run `python -m {service} migrate`"
    if changed := [file[1] for file, digest in files.items() if applied[file] != digest]:
        return (
            f"changed after it was applied: {', '.join(changed)}; restore the file and add a new one instead"
        )
    if unknown := [name for package, name in applied if (package, name) not in files]:
        return (
            f"applied, but not of this version: {', '.join(unknown)}; run the doctor of the deployed version"
        )
    return ""


async def append_only(target: Target, service: str) -> list[Finding]:
    """Check that the service's role has no right to change a history, and that triggers refuse the owner."""
    return [await _table(target, service, table) for table in APPEND_ONLY[service]]


async def _table(target: Target, service: str, table: str) -> Finding:
    subject = f"{service}.{table} is append-only"
    own = Database(target.strings[service], application_name="plumbline-doctor", connections_max=1)
    try:
        await own.start()
        await assert_append_only(own, [table], packages=("chassis", service))
        return Finding(subject, await _owner_problem(target, service, table))
    except NotAppendOnlyError as error:
        return Finding(subject, str(error))
    except StackError as error:
        return Finding(subject, str(error))
    except DATABASE_ERRORS as error:
        problem = f"could not be checked: {plain_reason(error)}; run `python -m {service} migrate`"
        return Finding(subject, problem)
    finally:
        await own.stop()


async def _owner_problem(target: Target, service: str, table: str) -> str:
    """Try UPDATE, DELETE and TRUNCATE as the owner, in a transaction that is rolled back."""
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
    # A refusal to become the owner shows a missing right of the administrator, not a refused change.
    if reason := await _refusal(admin, _AS_OWNER.format(owner=owner)):
        return f"could not be tried as {owner}, {reason}: set {dsn.ADMIN_VARIABLE} to a superuser"
    await admin.execute(_TABLE_LOCK)
    for statement in await forbidden_statements(admin, table):
        if not await _refused(admin, statement):
            return (
                f"the owner could {statement.split()[0]}: restore triggers and function from the migrations"
            )
    return ""


async def _refused(admin: Connection, statement: str) -> bool:
    """Return whether the statement was refused. A lock timeout on a busy table counts as refused."""
    # Foreign keys of other histories would refuse a plain TRUNCATE before any trigger fires.
    cascading = f"{statement} CASCADE" if statement.startswith("TRUNCATE") else statement
    try:
        async with admin.transaction():
            await admin.execute(cascading)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.LockNotAvailableError):
        return True
    return False


async def _refusal(admin: Connection, statements: str) -> str:
    """Return PostgreSQL's message if a right is missing, or an empty string."""
    try:
        await admin.execute(statements)
    except asyncpg.InsufficientPrivilegeError as error:
        return plain_reason(error)
    return ""
