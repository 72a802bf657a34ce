"""Background jobs of the reconciler: the schedule, and the execution of queued runs."""

from reconciler.jobs.executor import RunExecutor
from reconciler.jobs.scheduler import Scheduler

__all__ = ["RunExecutor", "Scheduler"]
