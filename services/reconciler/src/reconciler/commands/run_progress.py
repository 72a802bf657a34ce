"""Live progress of a run: a bar on a terminal, plain lines elsewhere; both on standard error."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from reconciler.adapters.run_queries import RunRecord

LINE_SECONDS_MIN = 5.0

Show = Callable[[RunRecord], None]


@contextmanager
def showing_progress() -> Generator[Show]:
    """Yield a function that shows a run's progress. Call it after each look at the run."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("requested", total=None)

        def show(run: RunRecord) -> None:
            percent = None if run.progress is None else run.progress.estimated_percent
            total = None if percent is None else 100
            progress.update(task, description=progress_line(run), total=total, completed=percent or 0)

        yield show


def progress_line(run: RunRecord) -> str:
    """Return how far a run has come, in one line."""
    progress = run.progress
    if progress is None:
        return run.status
    rate = "" if progress.per_second is None else f", {progress.per_second:,}/s"
    share = "" if progress.estimated_percent is None else f", about {progress.estimated_percent} %"
    cancelling = ", ends at its next page" if run.status == "running" and run.cancel_requested_at else ""
    return f"{run.status}, {progress.checked:,} bookings checked{rate}{share}{cancelling}"


def _lines() -> Show:
    shown_at = time.monotonic()

    def show(run: RunRecord) -> None:
        nonlocal shown_at
        if run.progress is not None and time.monotonic() - shown_at >= LINE_SECONDS_MIN:
            shown_at = time.monotonic()
            sys.stderr.write(f"run {run.id}: {progress_line(run)}\n")
            sys.stderr.flush()

    return show
