"""Commands about a running stack: its variables, its logs, restart, and the end of its data."""

import asyncio
import os
import shlex
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from chassis.process.command_line import EXIT_NO
from chassis.process.terminal import printable
from chassis.process.wording import one_of
from plumbline import own_commands, restart, stack_file, started_with, state_directory, variables
from plumbline.failure import StackError
from plumbline.services import SERVICES
from plumbline.state_directory import STATE_VARIABLE, StateDirectory

_POLL_SECONDS = 0.2
_SERVERS = ("kafka", "postgres")
_NAMES = tuple(service.name for service in SERVICES)

Services = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]…", help=f"{', '.join(_NAMES)}; all if left out.")
]


def add_running(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    _add_env(cli)
    _add_logs(cli)
    _add_restart(cli)
    _add_reset(cli)


def _add_env(cli: typer.Typer) -> None:
    @cli.command(name="env")
    def show_environment() -> None:
        r"""Print `export` lines for the shell: addresses, DSNs, secrets of the running stack, and the PATH.

        \b
        Use them in the shell:
          eval "$(plumbline env)"
          reconciler exceptions
        """
        directory = state_directory.from_environment(os.environ)
        variables_of_stack = exports(directory)
        if folder := own_commands.missing_folder():
            typer.echo(f'export PATH={shlex.quote(folder)}:"$PATH"')
        for name, value in sorted(variables_of_stack.items()):
            typer.echo(f"export {name}={shlex.quote(value)}")


def _add_logs(cli: typer.Typer) -> None:
    @cli.command()
    def logs(
        components: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="[COMPONENT]…", help=f"{', '.join((*_NAMES, *_SERVERS))}; services if left out."
            ),
        ] = None,
        *,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until Ctrl-C.")] = False,
        lines: Annotated[
            int, typer.Option("--lines", "-n", min=0, help="So many of the last lines of each.")
        ] = 20,
    ) -> None:
        """Print the ends of the logs, each line behind its component's name."""
        directory = state_directory.from_environment(os.environ)
        chosen = _known(components or list(_NAMES), (*_NAMES, *_SERVERS))
        try:
            for name, line in tail({name: directory.log(name) for name in chosen}, lines, follow=follow):
                typer.echo(f"{name:<15} {printable(line)}" if len(chosen) > 1 else printable(line))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _add_restart(cli: typer.Typer) -> None:
    @cli.command(name="restart")
    def restart_services(services: Services = None) -> None:
        """Restart services of a detached stack with the settings they were started with.

        `plumbline up --detach` restarts those whose settings differ from this shell's.
        """
        directory = state_directory.from_environment(os.environ)
        names = _known(services or list(_NAMES), _NAMES)
        asyncio.run(restart.restart(directory, names))
        typer.echo(f"restarted: {', '.join(names)}")


def _add_reset(cli: typer.Typer) -> None:
    @cli.command()
    def reset(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
        """Delete the data of a stopped stack: bookings, messages, the audit log, its key and all secrets."""
        directory = state_directory.from_environment(os.environ)
        if directory.ledger.exists():
            raise StackError("a stack runs from this state directory: stop it with `plumbline down` first")
        if not directory.path.exists():
            typer.echo(f"{directory.path} does not exist: nothing to delete")
            return
        if not (directory.postgres.exists() or directory.credentials.exists()):
            raise StackError(f"{directory.path} holds no stack; check {STATE_VARIABLE}")
        for line in losses(directory):
            typer.echo(line)
        if not yes and not (sys.stdin.isatty() and typer.confirm("Delete all of it?")):
            typer.echo("nothing was deleted; `--yes` deletes without asking")
            raise typer.Exit(EXIT_NO)
        shutil.rmtree(directory.path)
        typer.echo("deleted")


def exports(directory: StateDirectory) -> dict[str, str]:
    """Return the variables of the running stack: those of all services, and the services' addresses.

    Raises:
        StackError: nothing runs.
    """
    content = stack_file.read(directory.stack_file)
    if content is None:
        raise StackError(restart.NOTHING_RUNS)
    own: dict[str, str] = {STATE_VARIABLE: str(directory.path.absolute())}
    for environment in started_with.read(directory.environments).values():
        own |= {
            name: value
            for name, value in environment.items()
            if name not in variables.for_system(environment)
        }
    urls: Mapping[str, str] = content["urls"]
    addresses = {f"{name.upper().replace('-', '_')}_URL": url for name, url in urls.items()}
    return {**own, **addresses, "POSTGRES_ADMIN_DSN": content["postgres"]["admin_dsn"]}


def losses(directory: StateDirectory) -> list[str]:
    """Return what a reset deletes, one line each, with sizes."""
    parts = {
        "bookings, exceptions, audit log (PostgreSQL)": directory.postgres,
        "messages (Kafka)": directory.kafka,
        "signed checkpoints of the audit log": directory.checkpoints,
        "key of the audit log": directory.signing_key,
        "second key of the audit log": directory.mldsa_key,
        "passwords and webhook secrets": directory.credentials,
        "logs": directory.log("any").parent,
    }
    return [
        f"{path}: {what}, {_bytes_of(path) / 2**20:,.1f} MiB" for what, path in parts.items() if path.exists()
    ]


def tail(paths: Mapping[str, Path], lines: int, *, follow: bool) -> Iterator[tuple[str, str]]:
    """Yield name and line of the last lines of each file, and then, if asked, of new lines as they come."""
    files: dict[str, BinaryIO] = {name: path.open("rb") for name, path in paths.items() if path.exists()}
    if not files:
        raise StackError(f"there is no log yet of {', '.join(paths)}")
    try:
        for name, file in files.items():
            for line in deque(file, maxlen=lines):
                yield name, _text(line)
        while follow:
            for name, file in files.items():
                while line := file.readline():
                    yield name, _text(line)
            time.sleep(_POLL_SECONDS)
    finally:
        for file in files.values():
            file.close()


def _known(names: list[str], allowed: tuple[str, ...]) -> list[str]:
    for name in names:
        if name not in allowed:
            raise StackError(f"{name!a:.40} is unknown: choose {one_of(allowed, name)}")
    return list(dict.fromkeys(names))


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


def _bytes_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
