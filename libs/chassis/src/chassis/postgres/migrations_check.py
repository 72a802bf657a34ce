"""Start-up check: the database has the migrations that this version needs (ALL-2)."""

import asyncpg

from chassis.postgres.database import Database
from chassis.postgres.migrations import pending_migrations
from chassis.process.health import Check

_POST = "_post_"


class MigrationsMissingError(Exception):
    """The database lacks migrations. The service starts by itself once they are applied."""


class MigrationsStartupCheck:
    """Start-up check: a service starts only if the database has the migrations that this version needs.

    `…_post_…` files are not needed: they are applied after the new version is in place. Further migrations in
    the database are no error: they belong to a newer version that is being rolled out.

    Args:
        database: of the service, with its own role.
        service: console name and package. Its files follow those of the chassis.
    """

    name = "migrations"

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service
        self._proven = False

    async def start(self) -> None:
        missing = await self._missing()
        if missing:
            raise MigrationsMissingError(f"the database lacks {missing}: run `{self._service} migrate`")
        self._proven = True

    async def _missing(self) -> str:
        async with self._database.connection() as connection:
            try:
                pending = await pending_migrations(connection, ("chassis", self._service))
            except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
                return "its migrations"  # no ledger, or no grant to read it yet
        needed = [name for name in pending if _POST not in name]
        return f"{len(needed)} migrations, {needed[0]} first" if needed else ""

    async def stop(self) -> None:
        pass

    async def check(self) -> Check:
        return Check(ok=self._proven, detail="" if self._proven else "not compared yet")
