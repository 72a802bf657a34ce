"""Guard standard output of a command: a failed write is `OutputError`, and never exit code 1.

A full disk or a closed pipe must not look like the answer "no". Python, typer and rich each treat such
failures
differently: a traceback, exit code 1, exit code 120.
"""

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from chassis.process.terminal import printable


class OutputError(Exception):
    """Standard output cannot be written: the disk is full, or its reader has closed it."""


class _Output(io.FileIO):
    """A file descriptor that raises `OutputError`, which neither typer nor rich swallows."""

    given_up = False

    def write(self, content: Any, /) -> int:
        if self.given_up:
            return len(memoryview(content))
        try:
            return super().write(content) or 0
        except OSError as error:
            raise OutputError(f"standard output cannot be written: {error.strerror}") from error


class _Text(io.TextIOWrapper):
    """Replacement for `sys.stdout` during a command. `original` is the replaced stream."""

    def __init__(self, output: _Output, original: TextIO) -> None:
        super().__init__(
            io.BufferedWriter(output),
            encoding=original.encoding,
            errors="backslashreplace",  # a character that the terminal lacks is no reason to fail
            line_buffering=output.isatty(),
        )
        self.original = original


@contextmanager
def guarded_output() -> Generator[None]:
    """Guard `sys.stdout` during a command, and flush it before the command counts as done.

    Raises:
        OutputError: standard output is closed or full, or nobody reads it.
    """
    original = sys.stdout
    if original is None:  # pyright: ignore[reportUnnecessaryComparison] - None without descriptor 1
        raise OutputError("standard output is closed")
    output = _open(original)
    if output is None:
        yield
        return
    sys.stdout = text = _Text(output, original)
    try:
        yield
        text.flush()
    except SystemExit:
        text.flush()
        raise
    except BaseException:
        with suppress(OutputError):
            text.flush()
        raise
    finally:
        output.given_up = True  # so that Python does not write the rest again when it exits
        sys.stdout = original


def end_guard() -> None:
    """Restore the original standard output. A service continues when its log cannot be written."""
    if isinstance(sys.stdout, _Text):
        sys.stdout = sys.stdout.original


def _open(original: TextIO) -> _Output | None:
    """Return the descriptor of standard output; None if a test has replaced the stream."""
    try:
        return _Output(original.fileno(), "wb", closefd=False)
    except (OSError, ValueError):
        return None


def write_error(line: str) -> None:
    """Write one line to standard error. A failure to write is ignored: the exit code remains."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - None without descriptor 2
        return
    try:
        sys.stderr.write(f"{printable(line)}\n")
        sys.stderr.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # else Python exits with 120
