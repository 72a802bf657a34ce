"""Background jobs of the reconciler: schedule, queued runs, bulk operations, Stripe sweep."""

from reconciler.jobs.executor import RunExecutor
from reconciler.jobs.operations import OperationWorker
from reconciler.jobs.scheduler import Scheduler
from reconciler.jobs.sweeper import Sweeper

__all__ = ["OperationWorker", "RunExecutor", "Scheduler", "Sweeper"]
