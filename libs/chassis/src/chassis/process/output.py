"""Standard output of a command: what cannot be written is an error of its own, and never exit code 1.

A full disk or a reader that has gone must not read as "the answer is no". Python, typer and rich each treat
them in another way: a traceback, exit code 1, exit code 120.
"""

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from chassis.process.terminal import printable


class OutputError(Exception):
    """Standard output cannot be written: make room, or keep its reader open."""


class _Output(io.FileIO):
    """A file descriptor whose failures are `OutputError`, which neither typer nor rich swallows."""

    given_up = False

    def write(self, content: Any, /) -> int:
        if self.given_up:
            return len(memoryview(content))
        try:
            return super().write(content) or 0
        except OSError as error:
            raise OutputError(f"standard output cannot be written: {error.strerror}") from error


class _Text(io.TextIOWrapper):
    """`sys.stdout` of a command; `original` is what was there before."""

    def __init__(self, output: _Output, original: TextIO) -> None:
        super().__init__(
            io.BufferedWriter(output),
            encoding=original.encoding,
            errors="backslashreplace",  # a terminal that has no such letter is no reason to fail
            line_buffering=output.isatty(),
        )
        self.original = original


@contextmanager
def guarded_output() -> Generator[None]:
    """Guard `sys.stdout` for a command, and write what is left of it before the command counts as done.

    Raises:
        OutputError: standard output is closed, full, or nobody reads it.
    """
    original = sys.stdout
    if original is None:  # pyright: ignore[reportUnnecessaryComparison] - without descriptor 1 it is
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
        output.given_up = True  # what could not be written is not tried again when Python ends
        sys.stdout = original


def end_guard() -> None:
    """Put the process's own standard output back: a service goes on where its log cannot be written."""
    if isinstance(sys.stdout, _Text):
        sys.stdout = sys.stdout.original


def _open(original: TextIO) -> _Output | None:
    """Return the descriptor behind standard output; None where a test has put something else there."""
    try:
        return _Output(original.fileno(), "wb", closefd=False)
    except (OSError, ValueError):
        return None


def write_error(line: str) -> None:
    """Write one line to standard error; where that is full or closed too, the exit code alone tells."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - so Python starts without descriptor 2
        return
    try:
        sys.stderr.write(f"{printable(line)}\n")
        sys.stderr.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # else Python exits with 120
