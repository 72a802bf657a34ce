"""Data directory of the embedded PostgreSQL, and the files that a crash leaves there."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import psutil

from plumbline.failure import StackError
from plumbline.processes import Account

_PID_FILE = "postmaster.pid"
_STATUS_LINE = 7  # index from 0; the server writes "starting", "ready" or "stopping" there
_SERVER_NAMES = ("postgres", "postmaster")


def home(directory: Path, runner: Account | None) -> Path:
    """Return the folder for the data: `directory`, or a machine-wide folder if `runner` cannot enter it."""
    # Root's files are often below a home directory that other users may not enter. Its mode is not changed.
    if runner is None or all(_may_enter(folder, runner) for folder in directory.parents):
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return platformdirs.site_state_path("plumbline") / f"postgres-{digest}"


def _may_enter(folder: Path, runner: Account) -> bool:
    if not folder.exists():
        return True  # created later, for all users
    status = folder.stat()
    if status.st_uid == runner.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == runner.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class PidFile:
    """Content of `postmaster.pid`."""

    pid: int
    status: str


def pid_file(data: Path) -> PidFile | None:
    """Return the last server's pid file; None after a clean stop. A partial file gives an empty status."""
    try:
        lines = (data / _PID_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].strip().isdigit():
        return PidFile(pid=0, status="")
    return PidFile(int(lines[0]), lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else "")


def servers(data: Path) -> list[psutil.Process]:
    """Return PostgreSQL's processes in `data`: the postmaster, or orphans of a killed postmaster."""
    return [process for process in psutil.process_iter(["name"]) if _runs_in(process, data)]


def _runs_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.info["name"] in _SERVER_NAMES and Path(process.cwd()) == data
    except psutil.Error:
        return False


def discard_stale_pid_file(data: Path) -> None:
    """Remove the pid file that a crash left; raise `StackError` if a server still runs in `data`."""
    # Two servers on the same data would destroy them. A stale pid may now belong to another program, and the
    # server would refuse to start.
    if running := servers(data):
        raise StackError(f"a PostgreSQL server runs in {data} (pid {running[0].pid}): stop the server first")
    (data / _PID_FILE).unlink(missing_ok=True)
