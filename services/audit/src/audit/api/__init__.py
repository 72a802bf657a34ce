"""HTTP edge of audit: the EventLog, its entries, status histories (AU-5), and the sealed log (AU-7)."""

from audit.api.bookings import status_history
from audit.api.event_log import event_log, event_log_entry
from audit.api.log import log_checkpoint, log_entries, log_keys, log_tile
from audit.api.roles import ACCESS

ROUTES = (
    *(event_log, event_log_entry, status_history),
    *(log_checkpoint, log_keys, log_tile, log_entries),
)

__all__ = ["ACCESS", "ROUTES"]
