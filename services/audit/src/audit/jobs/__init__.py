"""Background jobs of audit."""

from audit.jobs.history_gaps import HistoryGapMonitor

__all__ = ["HistoryGapMonitor"]
