"""HTTP edge of audit (AU-5): the EventLog, its entries, and status histories."""

from audit.api.bookings import status_history
from audit.api.event_log import event_log, event_log_entry
from audit.api.roles import ACCESS

ROUTES = (event_log, event_log_entry, status_history)

__all__ = ["ACCESS", "ROUTES"]
