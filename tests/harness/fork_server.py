"""A process that has imported the services and forks one process a request; started by `harness.forking`.

The import of a service takes longer than all that most of its processes do in a test. A forked process is a
process as any other: its own pid, session, environment, signals and exit code. Requests come over the socket
with the number `sys.argv[1]`; the server ends when the socket closes, and its processes with it.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable
from typing import Any

import typer

LENGTH_BYTES = 4
# Libraries import these when a service starts. Each process would spend a fifth of its start on them.
_IMPORTED_LATE = (
    "anyio._backends._asyncio",
    "holidays.countries",
    "litestar.exceptions.responses",
    "litestar.plugins.attrs",
    "litestar.plugins.pydantic",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
)
_FILE_DESCRIPTORS_MAX = 4096
_STREAMS = 3


def serve(control: socket.socket) -> None:
    """Fork a process for each request; return in the parent only, when the socket is closed."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake)
    statuses: dict[int, int] = {}  # pid → pipe that takes the exit code
    while True:
        readable, _, _ = select.select([control, woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            _reap(statuses)
        if control in readable:
            if (received := _receive(control)) is None:
                _end_all(statuses)
                return
            request, (*streams, status) = received
            program = _load(request["package"])
            pid = os.fork()
            if pid == 0:
                control.detach()
                _become(request, streams)
                _run(program, request["code"])
                return
            for stream in streams:
                os.close(stream)
            statuses[pid] = status
            _write(status, pid)


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    length, descriptors, _, _ = socket.recv_fds(control, LENGTH_BYTES, _STREAMS + 1)
    if not length:
        return None
    left = int.from_bytes(length)
    text = bytearray()
    while len(text) < left:
        text += control.recv(left - len(text))
    return json.loads(text), descriptors


def _load(package: str) -> Any:
    program = importlib.import_module(f"{package}.__main__")
    list(typer.main.get_command(program.cli).commands.values())  # imports the modules of all commands
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else a collection in each process copies the memory that it shares with this one
    return program


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Take over what a new process would have been given."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(_STREAMS, _FILE_DESCRIPTORS_MAX)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["package"], *request["arguments"]]
    if folder := os.environ.get("PYTHONPATH"):  # with a sitecustomize and nothing else (`can_fork`)
        sys.path.insert(0, folder)
        importlib.import_module("sitecustomize")


def _run(program: Any, code: str) -> None:
    if code:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        program.main()


def _reap(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        pipe = statuses.pop(pid)
        _write(pipe, os.waitstatus_to_exitcode(status))
        os.close(pipe)


def _end_all(pids: Iterable[int]) -> None:
    """Kill what still runs, with its children: the suite has ended, perhaps by SIGKILL."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _write(pipe: int, number: int) -> None:
    try:
        os.write(pipe, b"%d\n" % number)
    except BrokenPipeError:  # nobody waits for the process any more
        return


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
