"""Starts processes of the services by forking a process that has imported them (`fork_server.py`)."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.fork_server import LENGTH_BYTES

VARIABLE = "PROCESSES"
_SERVER = Path(__file__).with_name("fork_server.py")
# The interpreter reads these when it starts.
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG")
_PATH = "PYTHONPATH"
_CUSTOMIZES = "sitecustomize.py"


def can_fork(environment: Mapping[str, str]) -> bool:
    """Return whether processes are forked, and one with this environment is the same as a new one."""
    requested = os.environ.get(VARIABLE) or "forked"
    if requested not in {"forked", "new"}:
        raise pytest.UsageError(f"{VARIABLE}={requested}: use forked or new, or leave it unset")
    if requested == "new":
        return False
    names = {name for name in environment if name.startswith(_OF_THE_INTERPRETER)}
    return not names or (names == {_PATH} and _only_customizes(environment[_PATH]))


def _only_customizes(path: str) -> bool:
    """Return whether a Python path is one folder with a `sitecustomize`, which can be imported late."""
    folder = Path(path)
    return folder.is_dir() and {each.name for each in folder.iterdir()} - {"__pycache__"} == {_CUSTOMIZES}


class Forked:
    """A forked process, with what harness and `plumbline.processes` use of `subprocess.Popen`."""

    def __init__(self, status: int) -> None:
        self._status = open(status, "rb", buffering=0)  # noqa: SIM115 - closed with the process's end
        self.pid = self._number()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code.

        Raises:
            subprocess.TimeoutExpired: the process still runs.
        """
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = self._number()
        self._status.close()

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            if not (part := self._status.read(1)):
                raise RuntimeError("the fork server has ended")
            line += part
        return int(line)


class ForkServer:
    """The client of one fork server, which starts with the first process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(
        self,
        package: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        streams: Sequence[int],
        *,
        directory: Path | None = None,
        code: str = "",
    ) -> Forked:
        """Start `python -m package arguments` with stdin, stdout and stderr.

        With `code` start `python -c code arguments` in a process that has imported the package.
        """
        request = {
            "package": package,
            "arguments": list(arguments),
            "environment": dict(environment),
            "directory": str(directory or Path.cwd()),
            "code": code,
        }
        text = json.dumps(request).encode()
        received, status = os.pipe()
        try:
            with self._lock:
                control = self._connected()
                socket.send_fds(control, [len(text).to_bytes(LENGTH_BYTES)], [*streams, status])
                control.sendall(text)
        finally:
            os.close(status)
        return Forked(received)

    def stop(self) -> None:
        """End the server and the processes that still run."""
        if self._control is not None and self._server is not None:
            self._control.close()
            self._server.wait()

    def _connected(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, "-P", "-s", "-u", _SERVER, str(theirs.fileno())],
                    env={"PATH": os.environ["PATH"]},
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            atexit.register(self.stop)
        return self._control


SERVER = ForkServer()
