"""Where the embedded PostgreSQL keeps its data, and what a crash may have left there."""

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
_STATUS_LINE = 7  # counted from 0; the server writes "starting", "ready" or "stopping" there
_SERVER_NAMES = ("postgres", "postmaster")


def home(directory: Path, runner: Account | None) -> Path:
    """The folder for the data: `directory`, or one in the machine's state when `runner` cannot get there.

    Root's files often stand below a home directory that nobody else may enter; opening that up is not
    ours to do.
    """
    if runner is None or all(_may_enter(folder, runner) for folder in directory.parents):
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return platformdirs.site_state_path("plumbline") / f"postgres-{digest}"


def _may_enter(folder: Path, runner: Account) -> bool:
    if not folder.exists():
        return True  # it will be made by us, for everybody
    status = folder.stat()
    if status.st_uid == runner.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == runner.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class PidFile:
    """What `postmaster.pid` says."""

    pid: int
    status: str


def pid_file(data: Path) -> PidFile | None:
    """The file of the last server, None if it went in peace; an unfinished file counts as no status yet."""
    try:
        lines = (data / _PID_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].strip().isdigit():
        return PidFile(pid=0, status="")
    return PidFile(int(lines[0]), lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else "")


def servers(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes that live in `data`: the postmaster, or orphans of one that was killed."""
    return [process for process in psutil.process_iter(["name"]) if _lives_in(process, data)]


def _lives_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.info["name"] in _SERVER_NAMES and Path(process.cwd()) == data
    except psutil.Error:
        return False


def discard_stale_pid_file(data: Path) -> None:
    """Remove what a crash left, once no server lives in `data`.

    The pid in it may belong to another program by now; the server would then refuse to start.
    `StackError` if a server is at work there: two on the same data would destroy them.
    """
    if inhabitants := servers(data):
        raise StackError(f"a PostgreSQL is at work in {data} (pid {inhabitants[0].pid}): stop it first")
    (data / _PID_FILE).unlink(missing_ok=True)
