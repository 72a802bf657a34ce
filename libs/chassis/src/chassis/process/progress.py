"""Progress of a command on standard error: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

SECONDS_MIN = 2.0
"""Work that ends sooner shows nothing."""
LINE_SECONDS_MIN = 5.0


class Progress:
    """Shows how far a command is.

    Use it as a context: the bar goes away at its end, also after an error.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._line_at = time.monotonic()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def show(self, text: str, done: float = 0, total: float | None = None) -> None:
        """Say how far the work is. Call it as often as that changes.

        Args:
            text: all that there is to say, in one line.
            done: for the bar, in any unit.
            total: in the same unit; None if it is unknown.
        """
        now = time.monotonic()
        if not self._is_terminal:
            if now - self._line_at >= LINE_SECONDS_MIN:
                self._line_at = now
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()
            return
        if self._bar is None and now - self._began >= SECONDS_MIN:
            columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(text)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=text, completed=done, total=total)

    def stop(self) -> None:
        """Take the bar away, for example before a question. The next `show` brings it back."""
        # A bar that never began would leave an empty line.
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
