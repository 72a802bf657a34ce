"""The embedded PostgreSQL: a server of version 18, on loopback TCP only, with SCRAM passwords."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from plumbline import atomic, postgres_binaries, postgres_directory, waiting
from plumbline.failure import StackError
from plumbline.ledger import Ledger
from plumbline.processes import Account, Process
from plumbline.server import Server

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


class EmbeddedPostgres(Server):
    """A server with its data in `directory`; listens on 127.0.0.1:`port`.

    For root, the data belong to an unprivileged account. If that account cannot enter `directory`, the
    data are in the machine's state directory. `settings` go into the configuration of a new cluster.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        log_path: Path | None = None,
        ledger: Ledger | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("postgres")
        self._directory = directory.absolute()
        self._port = port
        self._log_path = log_path or self._directory / "postgres.log"
        self._ledger = ledger
        self._settings = settings or {}
        self._runner: Account | None = None
        self._home = self._directory

    @property
    def admin_dsn(self) -> str:
        """Superuser's connection string to the database `postgres`; available after the first start."""
        password = (self._directory / _PASSWORD_FILE).read_text(encoding="utf-8")
        return f"postgresql://{ADMINISTRATOR}:{password}@127.0.0.1:{self._port}/postgres"

    async def _start(self) -> None:
        self._runner = postgres_binaries.account()
        programs = await asyncio.to_thread(postgres_binaries.directory, self._runner)
        await asyncio.to_thread(self._prepare)
        if not self._data.exists():
            await self._initdb(programs)
        await waiting.until(self._orphans_have_ended, seconds_max=_ORPHANS_SECONDS_MAX)
        postgres_directory.discard_stale_pid_file(self._data)
        settings = {"port": str(self._port), **_SETTINGS}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # SIGINT is PostgreSQL's fast shutdown: clients are disconnected, and no recovery is needed.
        server = self._process = self._process_of(
            "postgres", [programs / "postgres", "-D", self._data, *options], stop_signal=signal.SIGINT
        )

        async def is_ready() -> bool:
            file = postgres_directory.pid_file(self._data)
            return file is not None and file.pid == server.pid and file.status == "ready"

        await server.launch(is_ready)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    async def _orphans_have_ended(self) -> bool:
        # Workers of a killed postmaster notice its death and exit.
        return not postgres_directory.servers(self._data)

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._home = postgres_directory.home(self._directory, self._runner)
        self._home.mkdir(parents=True, exist_ok=True)
        self._change_owner(self._home)
        if (self._directory / _PASSWORD_FILE).exists():
            return
        if self._data.exists() and self._home == self._directory:
            raise StackError(f"{self._directory} has lost its {_PASSWORD_FILE}: restore it, or move it away")
        shutil.rmtree(self._data, ignore_errors=True)  # data of a removed state directory

    async def _initdb(self, programs: Path) -> None:
        """Create an empty cluster; rename it to its final name when complete."""
        unfinished = self._home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        password_file = self._home / ".initdb-password"
        atomic.write_text(password_file, password, mode=atomic.PRIVATE)
        self._change_owner(password_file)
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        initdb = self._process_of(
            "postgres-initdb", [programs / "initdb", *_initdb_options(unfinished, password_file), *settings]
        )
        try:
            await initdb.run(seconds_max=_INITDB_SECONDS_MAX)
        finally:
            password_file.unlink()
        atomic.write_text(self._directory / _PASSWORD_FILE, password, mode=atomic.PRIVATE)
        unfinished.replace(self._data)

    def _change_owner(self, path: Path) -> None:
        if self._runner:
            os.chown(path, self._runner.uid, self._runner.gid)

    def _process_of(
        self, name: str, command: list[str | Path], *, stop_signal: int = signal.SIGTERM
    ) -> Process:
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
