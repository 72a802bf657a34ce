"""A state directory of its own, and the commands that tests run on it."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path
from typing import Any

import psutil

from harness import eventually
from harness.ports import free_port
from harness.processes import run_program
from plumbline.state_directory import StateDirectory

TINY = (Path(__file__).parents[2] / "unit/local/tiny_service.py").read_text()
START_SECONDS_MAX = 60.0
COMMAND_SECONDS_MAX = 170.0


class Machine:
    """A state directory, its ports, and the commands that are run on them."""

    def __init__(self, directory: Path) -> None:
        self.state_directory = StateDirectory(directory / "var", free_port(13))
        self.packages = directory / "packages"
        self.environment = {
            **os.environ,
            "PLUMBLINE_STATE": str(self.state_directory.path),
            "PLUMBLINE_PORT_BASE": str(self.state_directory.port_base),
            "TINY_PACKAGES": str(self.packages),
        }
        self._running: list[Process] = []

    def add_service(self, name: str, source: str = TINY) -> None:
        package = self.packages / name
        package.mkdir(parents=True)
        port = f'sys.argv[1] = __import__("os").environ["{name.upper()}_PORT"]'
        (package / "__main__.py").write_text(
            source.replace("if __name__", f"{port}\nif __name__").replace(
                'if "ignore-sigterm"', f'{port}\nif "ignore-sigterm"'
            )
        )

    async def spawn(self, *command: str | Path) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *map(str, command), env=self.environment, stdout=PIPE, stderr=STDOUT
        )
        self._running.append(process)
        return process

    async def run(self, *command: str | Path) -> tuple[int | None, str]:
        process = await self.spawn(*command)
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    async def plumbline(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run a command of `plumbline` with further variables. It is forked: its imports take a second."""
        of_interpreter = ("PYTHON", "LC_", "LANG")
        environment = {
            name: value for name, value in self.environment.items() if not name.startswith(of_interpreter)
        }
        done = await run_program(
            "plumbline", arguments, {**environment, **variables}, seconds_max=COMMAND_SECONDS_MAX
        )
        return done.exit_code, done.stdout + done.stderr

    async def is_ready(self) -> dict[str, Any]:
        is_written = self.state_directory.stack_file.exists

        def failed() -> Process | None:
            return next((each for each in self._running[-1:] if each.returncode not in {None, 0}), None)

        await eventually(lambda: is_written() or failed(), seconds=START_SECONDS_MAX, what="a started stack")
        if not is_written() and (start := failed()) is not None:
            raise AssertionError((await start.communicate())[0].decode())
        return json.loads(self.state_directory.stack_file.read_text())

    async def clean_up(self) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await self.plumbline("down")


def alive(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if psutil.pid_exists(pid) and not _is_zombie(pid)]


def _is_zombie(pid: int) -> bool:
    # A process whose parent was killed is a zombie until its new parent reaps it.
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
