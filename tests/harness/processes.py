"""Processes of the services, and what their logs say about a failing test."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.service_process import ServiceProcess

COMMAND_SECONDS_MAX = 60.0


class Running(ServiceProcess):
    """A process of a service on a port of its own; a restart keeps port and settings."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_path: Path, url: str
    ) -> None:
        super().__init__(name, command, environment, log_path, f"{url}/health/ready")
        self.url = url

    def log(self) -> str:
        """All that it has written since it was last started."""
        return self.log_of_this_run()


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str


async def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: bytes | None = None,
    seconds_max: float = COMMAND_SECONDS_MAX,
) -> Finished:
    """Run a command to its end, in bounded time."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env=dict(environment),
        input=stdin,
        capture_output=True,
        timeout=seconds_max,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
