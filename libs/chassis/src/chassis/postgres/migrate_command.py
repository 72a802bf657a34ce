"""The command `migrate`, the same in every service."""

import asyncio
import os
from collections.abc import Sequence

import typer

from chassis.postgres.database import DATABASE_ERRORS
from chassis.postgres.migrations import MigrationError, migrate
from chassis.process.addresses import check_dsn
from chassis.process.command_line import CommandError, database_failure
from chassis.process.published_secrets import find_published


def add_migrate(cli: typer.Typer, name: str, packages: Sequence[str]) -> None:
    """Add the command `migrate`: apply the service's migrations as the owner of its database."""
    variable = f"{name.upper()}_MIGRATIONS_DSN"

    @cli.command(
        name="migrate",
        help=f"Apply the migrations that the database lacks. Reads {variable}: the DSN of a role that may "
        f"become {name}_owner, never of the service's own role.",
    )
    def run_migrate() -> None:
        dsn = os.environ.get(variable)
        if not dsn:
            raise CommandError(f"{variable} is not set: give the DSN of a role that may become {name}_owner")
        try:
            check_dsn(dsn)
        except ValueError as error:
            raise CommandError(f"{variable}: {error}") from None
        if os.environ.get("ENVIRONMENT") == "production" and (refusal := find_published({variable: dsn})):
            raise CommandError(refusal)
        try:
            applied = asyncio.run(migrate(dsn, owner=f"{name}_owner", packages=packages))
        except MigrationError as error:
            raise CommandError(f"migrate: {error}") from error
        except DATABASE_ERRORS as error:
            raise database_failure("migrate", error) from error
        typer.echo(f"{name}: {len(applied)} migrations applied" if applied else f"{name}: up to date")
