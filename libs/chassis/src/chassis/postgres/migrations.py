"""Migrations: numbered SQL files, each applied once, in order, by one process at a time.

A file is named `0003_pre_add_x.sql` (applied before the code that needs it) or `0004_post_drop_y.sql` (after
the code that needed y). Each runs in one transaction. With a first line `-- no-transaction` its statements
run one by one without a transaction, for `CREATE INDEX CONCURRENTLY`. An applied file that has changed is an
error.

Why not a library: docs/decisions/0001-own-migration-runner.md.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from chassis.observability.logs import get_logger
from chassis.postgres import advisory_locks
from chassis.postgres.database import Connection, Session
from chassis.postgres.sessions import open_session

_log = get_logger(__name__)

LOCK_SECONDS_MAX = 60.0
# A statement that waits for a table lock blocks every query behind it: fail and try again later.
LOCK_WAIT_SECONDS_MAX = 10
STATEMENT_SECONDS_MAX = 600
_LOCK_POLL_SECONDS = 0.1
_NAME = re.compile(r"\d{4}_(pre|post)_[a-z0-9_]+\.sql")
_NO_TRANSACTION = "-- no-transaction"

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    package text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, name)
)
"""


class MigrationError(Exception):
    """A migration failed, or the database and the files differ. Nothing further was applied."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration file: its package, name and text."""

    package: str
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of the text: reveals a later change."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def find_migrations(packages: Sequence[str]) -> list[Migration]:
    """Return the files of each package's `migrations` folder, in the order of application.

    Raises:
        MigrationError: a file's name has another form.
    """
    migrations: list[Migration] = []
    for package in packages:
        entries = (entry for entry in files(package).joinpath("migrations").iterdir())
        for entry in sorted((e for e in entries if e.name.endswith(".sql")), key=lambda e: e.name):
            if not _NAME.fullmatch(entry.name):
                raise MigrationError(
                    f"{package}: {entry.name} is not named NNNN_pre_x.sql or NNNN_post_x.sql"
                )
            migrations.append(Migration(package, entry.name, entry.read_text(encoding="utf-8")))
    return migrations


async def migrate(dsn: str, *, owner: str, packages: Sequence[str]) -> list[str]:
    """Apply the missing migrations and return their names.

    Args:
        dsn: of a role that may become `owner`; never of the service's own role.
        owner: role without login that owns the schema and its objects.
        packages: in order; shared ones first.

    Raises:
        MigrationError: an applied file has changed, or another process has held the lock too long.
    """
    migrations = find_migrations(packages)
    connection = await open_session(
        dsn,
        command_timeout=STATEMENT_SECONDS_MAX,
        server_settings={
            "application_name": f"migrate-{owner}",
            "lock_timeout": f"{LOCK_WAIT_SECONDS_MAX}s",
            "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
        },
    )
    try:
        await connection.execute(f'SET ROLE "{owner}"')
        await _lock(connection)
        await connection.execute(_LEDGER)
        return [m.name for m in migrations if await _apply(connection, m)]
    finally:
        await connection.close()


async def pending_migrations(connection: Connection, packages: Sequence[str]) -> list[str]:
    """Return the names of files that are not applied. Needs SELECT on the ledger."""
    rows = await connection.fetch("SELECT package, name FROM schema_migration")
    applied = {(row["package"], row["name"]) for row in rows}
    return [m.name for m in find_migrations(packages) if (m.package, m.name) not in applied]


async def _lock(connection: Session) -> None:
    # Polled: a replica that waits inside the server would deadlock a concurrent index build.
    deadline = time.monotonic() + LOCK_SECONDS_MAX
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", advisory_locks.MIGRATIONS):
        if time.monotonic() > deadline:
            raise MigrationError(f"another process has been migrating for {LOCK_SECONDS_MAX:g} s; try again")
        await asyncio.sleep(_LOCK_POLL_SECONDS)


async def _apply(connection: Session, migration: Migration) -> bool:
    applied = await connection.fetchval(
        "SELECT sha256 FROM schema_migration WHERE package = $1 AND name = $2",
        migration.package,
        migration.name,
    )
    if applied == migration.sha256:
        return False
    if applied is not None:
        raise MigrationError(
            f"{migration.package}: {migration.name} was changed after it was applied; add a new file"
        )
    if migration.sql.startswith(_NO_TRANSACTION):
        for statement in statements(migration.sql):
            await connection.execute(statement)
        await _record(connection, migration)
    else:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await _record(connection, migration)
    _log.info("migration applied", package=migration.package, name=migration.name)
    return True


def statements(sql: str) -> list[str]:
    """Split a `-- no-transaction` file into statements. Each ends with a semicolon at the end of a line."""
    return [part.strip() for part in re.split(r";\s*\n", sql + "\n") if part.strip()]


async def _record(connection: Session, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migration (package, name, sha256) VALUES ($1, $2, $3)",
        migration.package,
        migration.name,
        migration.sha256,
    )
