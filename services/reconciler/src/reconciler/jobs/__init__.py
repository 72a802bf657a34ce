"""What happens without being asked over HTTP or Kafka: the schedule, and the work on queued runs."""

from reconciler.jobs.executor import RunExecutor
from reconciler.jobs.scheduler import Scheduler

__all__ = ["RunExecutor", "Scheduler"]
