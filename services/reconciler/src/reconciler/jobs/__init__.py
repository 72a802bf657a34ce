"""Background jobs of the reconciler: schedule, queued runs, bulk operations, clocks, Stripe sweep."""

from reconciler.jobs.clocks import ExceptionClocks
from reconciler.jobs.executor import RunExecutor
from reconciler.jobs.operations import OperationWorker
from reconciler.jobs.scheduler import Scheduler
from reconciler.jobs.sweeper import Sweeper

__all__ = ["ExceptionClocks", "OperationWorker", "RunExecutor", "Scheduler", "Sweeper"]
