"""HTTP edge of audit: EventLog, histories (AU-5), evidence (AU-9), sealed log (AU-7), witness (AU-8)."""

from audit.api.bookings import status_history
from audit.api.event_log import event_log, event_log_entry, event_log_export, event_log_values
from audit.api.event_stream import event_stream
from audit.api.evidence import booking_evidence
from audit.api.log import log_checkpoint, log_entries, log_keys, log_tile
from audit.api.payloads import entry_payload
from audit.api.roles import ACCESS
from audit.api.witness import WITNESS_ROUTES

ROUTES = (
    *(event_log, event_log_export, event_log_values, event_stream, event_log_entry, entry_payload),
    *(status_history, booking_evidence),
    *(log_checkpoint, log_keys, log_tile, log_entries),
)

__all__ = ["ACCESS", "ROUTES", "WITNESS_ROUTES"]
