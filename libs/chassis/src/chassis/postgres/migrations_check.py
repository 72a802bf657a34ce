"""No service on a database that is older than itself (ALL-2)."""

import asyncpg

from chassis.postgres.database import Database
from chassis.postgres.migrations import pending_migrations
from chassis.process.health import Check

_POST = "_post_"


class MigrationsMissingError(Exception):
    """The database is older than this version: migrate it, and the service starts by itself."""


class MigrationsStartupCheck:
    """A part that lets a service start only on a database with the tables it was written for.

    Files named `…_post_…` are not asked for: they are applied after the new version is in place. Nor is it a
    fault when the database has more, as it does while a newer version is being rolled out.

    Args:
        database: of the service, with its own role.
        service: console name and package, whose files follow the chassis's.
    """

    name = "migrations"

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service
        self._proven = False

    async def start(self) -> None:
        """Compare the database's ledger with the files.

        Raises:
            MigrationsMissingError: a file that this version needs is not applied.
        """
        missing = await self._missing()
        if missing:
            raise MigrationsMissingError(f"the database lacks {missing}: run `{self._service} migrate`")
        self._proven = True

    async def _missing(self) -> str:
        async with self._database.connection() as connection:
            try:
                pending = await pending_migrations(connection, ("chassis", self._service))
            except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
                return "its migrations"  # no ledger, or not yet the grant to read it
        needed = [name for name in pending if _POST not in name]
        return f"{len(needed)} migrations, {needed[0]} first" if needed else ""

    async def stop(self) -> None:
        """Nothing is held."""

    async def check(self) -> Check:
        """Good once the comparison has passed."""
        return Check(ok=self._proven, detail="" if self._proven else "not compared yet")
