"""Progress of a run, in one line."""

from chassis.process.progress import Progress
from reconciler.adapters.run_queries import RunRecord


def show_run(progress: Progress, run: RunRecord) -> None:
    """Show how far a run is. Call it after each look at the run."""
    percent = None if run.progress is None else run.progress.estimated_percent
    progress.show(run_line(run), percent or 0, None if percent is None else 100)


def run_line(run: RunRecord) -> str:
    """Return how far a run has come, in one line."""
    progress = run.progress
    if progress is None:
        return "requested, no service has taken it yet" if run.status == "requested" else run.status
    rate = "" if progress.per_second is None else f", {progress.per_second:,}/s"
    share = "" if progress.estimated_percent is None else f", about {progress.estimated_percent} %"
    cancelling = ", ends at its next page" if run.status == "running" and run.cancel_requested_at else ""
    return f"{run.status}, {progress.checked:,} bookings checked{rate}{share}{cancelling}"
