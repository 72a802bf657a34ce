"""Child processes: started with a log file, monitored, and ended with their descendants."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from plumbline import identity, waiting
from plumbline.failure import StackError
from plumbline.identity import Identity
from plumbline.ledger import Ledger

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0
_LOG_BYTES_MAX = 16 * 1024 * 1024
_LOG_TAIL_LINES = 10
_LOG_LINE_CHARACTERS = 240
_REAP_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """A user account of this machine that a process runs as."""

    name: str
    uid: int
    gid: int


class Process:
    """One child process in its own session, so that Ctrl-C reaches the supervisor only.

    `environment` is the complete environment. `working_directory` None means the caller's directory.
    `ledger`, if given, contains the process while it runs.
    """

    stop_seconds_max = STOP_SECONDS_MAX

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        log_path: Path,
        stop_signal: int = signal.SIGTERM,
        account: Account | None = None,
        working_directory: Path | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._command = [str(part) for part in command]
        self._environment = dict(environment)
        self._stop_signal = stop_signal
        self._account = account
        self._working_directory = working_directory
        self._ledger = ledger
        self._child: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Process id; `StackError` before the first start."""
        if self._child is None:
            raise StackError(f"{self.name} has not been started")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def spawn(self) -> None:
        """Start the process and add it to the ledger; do not wait. `StackError` if it is already running."""
        self.unregister()
        self._rotate_log()
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._child = self._popen(log)
        self._identity = Identity.of(self.name, self._child.pid, self._stop_signal)
        if self._ledger:
            self._ledger.add(self._identity)

    def _popen(self, log: BinaryIO) -> "subprocess.Popen[bytes]":
        account = self._account
        return subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._working_directory,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    async def launch(self, ready: waiting.Condition, *, seconds_max: float = READY_SECONDS_MAX) -> None:
        """Start the process and wait until `ready` is true.

        Raises:
            StackError: with the end of the log, if the process exits or takes too long. It is then killed.
        """
        self.spawn()
        try:
            await self._wait(ready, seconds_max)
        except BaseException:
            await self.kill()
            raise

    async def run(self, *, seconds_max: float = READY_SECONDS_MAX) -> None:
        """Start the process and wait until it exits; `StackError` with the end of the log on failure."""
        self.spawn()
        try:
            in_time = await waiting.until(self._ended, seconds_max=seconds_max)
        finally:
            await self.kill()
        if not in_time:
            raise StackError(f"{self.name} did not finish within {seconds_max:.0f} s {self.log_tail()}")
        if code := self._child and self._child.returncode:
            raise StackError(f"{self.name} failed with exit code {code} {self.log_tail()}")

    def unregister(self) -> None:
        """Remove an ended process from the ledger; `StackError` if the process is running."""
        if self.running:
            raise StackError(f"{self.name} is already running (pid {self.pid})")
        if self._ledger and self._identity:
            self._ledger.remove(self._identity)

    async def stop(self) -> None:
        """Send the stop signal, kill the process after `stop_seconds_max`, and kill its descendants."""
        await self._end(stop_seconds_max=self.stop_seconds_max)

    async def kill(self) -> None:
        """Kill the process and its descendants (SIGKILL), as in a crash."""
        await self._end(stop_seconds_max=0)

    def log_of_this_run(self) -> str:
        """Return the output since the last start."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        """Return path and last lines of the log, each once, to append to an error message."""
        lines = self.log_of_this_run().splitlines()[-_LOG_TAIL_LINES:]
        distinct = dict.fromkeys(line[:_LOG_LINE_CHARACTERS] for line in lines)
        tail = "".join(f"\n  | {line}" for line in distinct) or " (empty)"
        return f"(log: {self.log_path}){tail}"

    async def _wait(self, ready: waiting.Condition, seconds_max: float) -> None:
        async def settled() -> bool:
            return not self.running or await ready()

        in_time = await waiting.until(settled, seconds_max=seconds_max)
        if not self.running:
            raise StackError(f"{self.name} ended while starting {self.log_tail()}")
        if not in_time:
            raise StackError(f"{self.name} was not ready within {seconds_max:.0f} s {self.log_tail()}")

    async def _end(self, *, stop_seconds_max: float) -> None:
        if self._child is None or self._identity is None:
            return
        await identity.end(self._identity, stop_seconds_max=stop_seconds_max)
        self._child.wait(timeout=_REAP_SECONDS_MAX)
        self.unregister()

    async def _ended(self) -> bool:
        return not self.running

    def _rotate_log(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
