"""The command line of a service, and one-line errors.

Exit codes (interface.md): 0 good, 1 the answer is "no", 2 the command failed.
"""

import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from chassis.observability.logs import log_to_stderr
from chassis.process.command_line import EXIT_COULD_NOT, CommandError
from chassis.process.command_options import OptionError, refuse_slips
from chassis.process.commands_on_demand import Add, group_of
from chassis.process.environment import SettingsError
from chassis.process.output import OutputError, guarded_output, write_error
from chassis.process.terminal import plain_reason

UNREADABLE_ROW = "chassis.postgres.stored_rows:UnreadableRowError"


def build_cli(summary: str, commands: Mapping[str, Add] | None = None) -> typer.Typer:
    """Return a command line.

    Args:
        summary: first line of its help.
        commands: by name; each is imported when it is used.
    """
    cli = typer.Typer(
        cls=group_of(commands or {}),
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


def run_cli(cli: typer.Typer, *, name: str = "error", failures: Sequence[str] = ()) -> None:
    """Run a command line and end the process.

    A failure is one line on standard error and exit code 2. Output that cannot be written is a failure; so is
    a bug, which prints its traceback. Exit code 1 is left to commands that answer "no".

    Args:
        cli: the command line.
        name: stands at the beginning of the line.
        failures: further errors whose text is meant for a person, as "package.module:Error": not every
            command imports their modules.
    """
    log_to_stderr()
    try:
        with guarded_output():
            command = typer.main.get_command(cli)
            refuse_slips(command)
            command()
    except (CommandError, SettingsError, OptionError, OutputError) as error:
        write_error(f"{name}: {error}")
    except OSError as error:
        write_error(f"{name}: {plain_reason(error)}")
    except Exception as error:  # noqa: BLE001 - a process ends here, and Python's exit code would be 1
        if any(_is(error, place) for place in (UNREADABLE_ROW, *failures)):
            write_error(f"{name}: {error}")
        else:
            traceback.print_exception(error)
    else:
        return
    sys.exit(EXIT_COULD_NOT)


def _is(error: Exception, place: str) -> bool:
    module, _, name = place.partition(":")
    # An error of a module that nobody has imported cannot occur.
    return module in sys.modules and isinstance(error, getattr(sys.modules[module], name))
