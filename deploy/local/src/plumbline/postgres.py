"""The embedded PostgreSQL: a real server of version 18, on loopback TCP only, with SCRAM passwords."""

import asyncio
import os
import secrets
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from plumbline import atomic, postgres_binaries, postgres_directory, waiting
from plumbline.failure import StackError
from plumbline.ledger import Ledger
from plumbline.processes import Account, Process

ADMINISTRATOR = "postgres"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_INITDB_SECONDS_MAX = 60.0
_ORPHANS_SECONDS_MAX = 10.0
_PASSWORD_FILE = "superuser-password"  # noqa: S105  (a file's name)


class EmbeddedPostgres:
    """A server that keeps everything in `directory` and listens on 127.0.0.1:`port`.

    Data outlive `stop` and `kill`; `start` goes on with them, and recovers what a crash of the machine left.
    As root the data belong to an unprivileged account; where it cannot reach `directory`, they stand in the
    machine's state directory instead. Use it with `async with`, or start and stop.
    """

    def __init__(
        self, directory: Path, port: int, *, log_path: Path | None = None, ledger: Ledger | None = None
    ) -> None:
        self._directory = directory.absolute()
        self._port = port
        self._log_path = log_path or self._directory / "postgres.log"
        self._ledger = ledger
        self._runner: Account | None = None
        self._home = self._directory
        self._server: Process | None = None

    @property
    def admin_dsn(self) -> str:
        """Connects as the superuser to the database `postgres`; there is none before the first start."""
        password = (self._directory / _PASSWORD_FILE).read_text(encoding="utf-8")
        return f"postgresql://{ADMINISTRATOR}:{password}@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int:
        """The postmaster's process id; `StackError` if it was never started."""
        if self._server is None:
            raise StackError("postgres has not been started")
        return self._server.pid

    @property
    def running(self) -> bool:
        """Whether the postmaster is there."""
        return self._server is not None and self._server.running

    async def start(self) -> None:
        """Start the server and wait until it takes connections; makes a new, empty one at first.

        `StackError` says what stands in the way; nothing is left running then.
        """
        self._runner = postgres_binaries.account()
        programs = await asyncio.to_thread(postgres_binaries.directory, self._runner)
        await asyncio.to_thread(self._prepare)
        if not self._data.exists():
            await self._initdb(programs)
        await waiting.until(self._without_orphans, seconds_max=_ORPHANS_SECONDS_MAX)
        postgres_directory.discard_stale_pid_file(self._data)
        settings = {"port": str(self._port), **_SETTINGS}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._server = server = self._process(
            "postgres", [programs / "postgres", "-D", self._data, *options], stop_signal=signal.SIGINT
        )
        server.spawn()
        try:
            await server.wait_ready(self._is_ready)
        except BaseException:
            await server.kill()
            raise

    async def stop(self) -> None:
        """Stop in an orderly way ("fast": clients are sent away, nothing needs recovery)."""
        if self._server:
            await self._server.stop()

    async def kill(self) -> None:
        """End the server as a crash would, its workers too; the next start recovers."""
        if self._server:
            await self._server.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _data(self) -> Path:
        return self._home / "data"

    async def _is_ready(self) -> bool:
        file = postgres_directory.pid_file(self._data)
        return file is not None and file.pid == self.pid and file.status == "ready"

    async def _without_orphans(self) -> bool:
        """Workers of a postmaster that was killed see its death and go by themselves."""
        return not postgres_directory.servers(self._data)

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._home = postgres_directory.home(self._directory, self._runner)
        self._home.mkdir(parents=True, exist_ok=True)
        self._give(self._home)
        if (self._directory / _PASSWORD_FILE).exists():
            return
        if self._data.exists() and self._home == self._directory:
            raise StackError(f"{self._directory} has lost its {_PASSWORD_FILE}: restore it, or move it away")
        shutil.rmtree(self._data, ignore_errors=True)  # data of a state directory that was removed

    async def _initdb(self, programs: Path) -> None:
        """Make an empty cluster; it takes its name only when complete."""
        unfinished = self._home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        handed_over = self._home / ".initdb-password"
        atomic.write_text(handed_over, password, mode=atomic.PRIVATE)
        self._give(handed_over)
        initdb = self._process(
            "postgres-initdb", [programs / "initdb", *_initdb_options(unfinished, handed_over)]
        )
        initdb.spawn()
        try:
            await initdb.finish(seconds_max=_INITDB_SECONDS_MAX)
        except BaseException:
            await initdb.kill()
            raise
        finally:
            handed_over.unlink()
        atomic.write_text(self._directory / _PASSWORD_FILE, password, mode=atomic.PRIVATE)
        unfinished.replace(self._data)

    def _give(self, path: Path) -> None:
        if self._runner:
            os.chown(path, self._runner.uid, self._runner.gid)

    def _process(self, name: str, command: list[str | Path], *, stop_signal: int = signal.SIGTERM) -> Process:
        return Process(
            name,
            command,
            environment=_ENVIRONMENT,
            log_path=self._log_path,
            stop_signal=stop_signal,
            account=self._runner,
            working_directory=Path("/"),
            ledger=self._ledger,
        )


def _initdb_options(data: Path, password_file: Path) -> list[str | Path]:
    return [
        "-D",
        data,
        f"--username={ADMINISTRATOR}",
        "--auth=scram-sha-256",
        f"--pwfile={password_file}",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
