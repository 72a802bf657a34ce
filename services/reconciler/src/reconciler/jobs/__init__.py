"""Background jobs of the reconciler: the schedule, the execution of queued runs, and the Stripe sweep."""

from reconciler.jobs.executor import RunExecutor
from reconciler.jobs.scheduler import Scheduler
from reconciler.jobs.sweeper import Sweeper

__all__ = ["RunExecutor", "Scheduler", "Sweeper"]
