"""The commands that every service has, `serve` and `migrate`, and one-line errors.

Exit codes (interface.md): 0 good, 1 the answer is "no", 2 the command failed.
"""

import asyncio
import os
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Annotated, TypeVar

import typer

from chassis.observability.logs import configure_logs, log_to_stderr
from chassis.observability.spans import exporting
from chassis.postgres.database import DATABASE_ERRORS
from chassis.postgres.migrations import MigrationError, migrate
from chassis.postgres.stored_rows import UnreadableRowError
from chassis.process.addresses import check_dsn
from chassis.process.command_line import EXIT_COULD_NOT, CommandError, database_failure
from chassis.process.command_options import OptionError, refuse_slips
from chassis.process.environment import SettingsError, load_settings
from chassis.process.output import OutputError, end_guard, guarded_output, write_error
from chassis.process.published_secrets import find_published
from chassis.process.terminal import plain_reason
from chassis.service import Service
from chassis.settings import ServiceSettings

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def build_cli(summary: str) -> typer.Typer:
    """Return a command line without commands; a service adds its own."""
    cli = typer.Typer(
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    add_help_and_version(cli)
    return cli


def add_help_and_version(cli: typer.Typer) -> None:
    """Let every command take `-h` as well as `--help`, and the command line `--version`."""
    cli.info.context_settings = {"help_option_names": ["-h", "--help"]}

    def show_version(chosen: bool) -> None:
        if chosen:
            typer.echo(f"Plumbline {version('plumbline-chassis')}, Python {platform.python_version()}")
            raise typer.Exit

    @cli.callback()
    def options(
        *,
        _version: Annotated[
            bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
        ] = False,
    ) -> None:
        pass


def add_serve(
    cli: typer.Typer, name: str, settings_class: type[SettingsT], build: Callable[[SettingsT], Service]
) -> None:
    """Add the command `serve`: read the settings, compose the service, run it until a signal."""

    @cli.command()
    def serve() -> None:
        """Run the service until SIGTERM or Ctrl-C."""
        settings = load_settings(settings_class)
        raise typer.Exit(run_service(name, settings, lambda: build(settings)))


def run_service(name: str, settings: ServiceSettings, build: Callable[[], Service]) -> int:
    """Run a service until a signal, with the logs and spans of its settings. Return the exit code."""
    end_guard()
    configure_logs(
        name, log_format=settings.log_format, level=settings.log_level, messages=settings.log_messages
    )
    with exporting(name, settings.otel_exporter_otlp_endpoint):
        return build().serve()


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


def run_cli(cli: typer.Typer, *, name: str = "error", failures: Sequence[type[Exception]] = ()) -> None:
    """Run a command line and end the process.

    A failure is one line on standard error and exit code 2. Output that cannot be written is a failure; so is
    a bug, which prints its traceback. Exit code 1 is left to commands that answer "no".

    Args:
        cli: the command line.
        name: stands at the beginning of the line.
        failures: further errors whose text is meant for a person.
    """
    log_to_stderr()
    try:
        with guarded_output():
            command = typer.main.get_command(cli)
            refuse_slips(command)
            command()
    except (CommandError, SettingsError, OptionError, OutputError, UnreadableRowError, *failures) as error:
        write_error(f"{name}: {error}")
    except OSError as error:
        write_error(f"{name}: {plain_reason(error)}")
    except Exception as error:  # noqa: BLE001 - a process ends here, and Python's exit code would be 1
        traceback.print_exception(error)
    else:
        return
    sys.exit(EXIT_COULD_NOT)
