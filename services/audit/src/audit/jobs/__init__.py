"""Background jobs of audit."""

from audit.jobs.checkpoint_publisher import CheckpointPublisher
from audit.jobs.entry_blocks import SearchIndexer
from audit.jobs.history_gaps import HistoryGapMonitor
from audit.jobs.live_entries import LiveEntriesPoll
from audit.jobs.log_gauges import LogGauges
from audit.jobs.payload_months import PayloadMonths
from audit.jobs.sealer import Sealer
from audit.jobs.witnesses import WitnessRounds

__all__ = [
    "CheckpointPublisher",
    "HistoryGapMonitor",
    "LiveEntriesPoll",
    "LogGauges",
    "PayloadMonths",
    "Sealer",
    "SearchIndexer",
    "WitnessRounds",
]
