"""Service processes, and commands that run to their end."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.service_process import ServiceProcess

COMMAND_SECONDS_MAX = 60.0


class Running(ServiceProcess):
    """A service process on its own port. A restart keeps port and settings."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_path: Path, url: str
    ) -> None:
        super().__init__(name, command, environment, log_path, f"{url}/health/ready")
        self.url = url

    def log(self) -> str:
        """Return the log output since the last start."""
        return self.log_of_this_run()


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a command."""

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
