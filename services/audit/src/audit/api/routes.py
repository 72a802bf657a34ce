"""All routes of the service."""

from audit.api.bookings import status_history
from audit.api.event_log import event_log, event_log_entry, event_log_export, event_log_values
from audit.api.event_stream import event_stream
from audit.api.evidence import booking_evidence
from audit.api.log import log_checkpoint, log_entries, log_keys, log_tile
from audit.api.payloads import entry_payload

ROUTES = (
    *(event_log, event_log_export, event_log_values, event_stream, event_log_entry, entry_payload),
    *(status_history, booking_evidence),
    *(log_checkpoint, log_keys, log_tile, log_entries),
)
