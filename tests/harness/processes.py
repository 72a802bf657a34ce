"""Service processes, and commands that run to their end."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.forking import SERVER, Forked, can_fork
from plumbline.service_process import ServiceProcess

COMMAND_SECONDS_MAX = 60.0


def command_line(package: str, arguments: Sequence[str]) -> list[str]:
    """Return the command of a service's process, as `plumbline up` runs it."""
    return [sys.executable, "-P", "-s", "-u", "-m", package, *arguments]


class Running(ServiceProcess):
    """A service process on its own port. A restart keeps port and settings."""

    def __init__(
        self,
        name: str,
        package: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log_path: Path,
        url: str,
    ) -> None:
        command = command_line(package, arguments)
        super().__init__(name, command, environment, log_path, f"{url}/health/ready")
        self._package, self._arguments = package, arguments
        self.url = url

    def change(self, environment: Mapping[str, str]) -> None:
        """Give the process these variables too, from its next start on."""
        self._environment = {**self._environment, **environment}

    def log(self) -> str:
        """Return the log output since the last start."""
        return self.log_of_this_run()

    def _popen(self, log: BinaryIO) -> Any:
        if not can_fork(self._environment):
            return super()._popen(log)
        with Path(os.devnull).open("rb") as nothing:
            streams = [nothing.fileno(), log.fileno(), log.fileno()]
            return SERVER.start(self._package, self._arguments, self._environment, streams)


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a command."""

    exit_code: int
    stdout: str
    stderr: str


def plain_terminal(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a newcomer's shell has beside these variables: no language, 80 columns, no colours."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("LC_", "PYTHON"))}
    return {**kept, "LANG": "C", "COLUMNS": "80", "NO_COLOR": "1"}


async def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: bytes | None = None,
    seconds_max: float = COMMAND_SECONDS_MAX,
    directory: Path | None = None,
) -> Finished:
    """Run a command to its end, in bounded time."""
    return await _finish(command, environment, seconds_max, directory, content=stdin)


async def run_program(
    package: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: bytes | None = None,
    typed: bytes | None = None,
    seconds_max: float = COMMAND_SECONDS_MAX,
    directory: Path | None = None,
) -> Finished:
    """Run `python -m package arguments` to its end, in bounded time.

    `typed` is the input from a terminal, in place of `stdin`.
    """
    if typed is not None:
        command = command_line(package, arguments)
        return await _run_on_terminal(command, environment, typed, seconds_max, directory)
    if not can_fork(environment):
        command = command_line(package, arguments)
        return await run(command, environment, stdin=stdin, seconds_max=seconds_max, directory=directory)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin or b"")
        given.seek(0)
        streams = [each.fileno() for each in (given, out, err)]
        process = SERVER.start(package, arguments, environment, streams, directory=directory)
        exit_code = await asyncio.to_thread(_wait, process, seconds_max)
        out.seek(0)
        err.seek(0)
        return Finished(exit_code, out.read().decode(), err.read().decode())


async def _run_on_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    typed: bytes,
    seconds_max: float,
    directory: Path | None,
) -> Finished:
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed)
        return await _finish(command, environment, seconds_max, directory, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)


async def _finish(
    command: Sequence[str],
    environment: Mapping[str, str],
    seconds_max: float,
    directory: Path | None,
    *,
    stdin: int | None = None,
    content: bytes | None = None,
) -> Finished:
    """Run a command whose standard input is a file descriptor, or has a content."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env=dict(environment),
        capture_output=True,
        timeout=seconds_max,
        cwd=directory,
        check=False,
        stdin=stdin,
        input=content,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def _wait(process: Forked, seconds_max: float) -> int:
    try:
        return process.wait(seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
