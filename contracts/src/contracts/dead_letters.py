"""Announcements of messages that a consumer set aside (ALL-1)."""

from contracts.reasons import SetAsideReason
from contracts.wire import UtcDatetime, WireModel


class MessageSetAside(WireModel):
    """A message waits in the service's own `dead_letter` table; later ones of its key wait behind it."""

    dead_letter_id: str
    consumer: str
    topic: str
    partition: int
    offset: int
    event_id: str | None
    event_type: str | None
    reason: SetAsideReason
    error: str
    attempts: int
    set_aside_at: UtcDatetime
