"""Messages about set-aside messages: set aside, replayed, discarded, lost (ALL-1)."""

from contracts.reasons import AnnouncedReason
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
    reason: AnnouncedReason
    error: str
    attempts: int
    set_aside_at: UtcDatetime


class MessagesLost(WireModel):
    """Records of a topic were deleted before a consumer group read them: an inclusive range of offsets.

    The range may hold fewer messages than offsets: transaction markers and aborted records have offsets too.
    """

    consumer: str
    group: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    error: str


class MessageReplayed(WireModel):
    """A message that had been set aside was applied: an operator replayed its ordering key."""

    dead_letter_id: str
    consumer: str
    topic: str
    partition: int
    offset: int
    event_id: str | None
    event_type: str | None
    attempts: int
    actor: str
    reason: str | None
    replayed_at: UtcDatetime


class MessageDiscarded(WireModel):
    """A message that had been set aside will not be applied: an operator discarded it, with a reason."""

    dead_letter_id: str
    consumer: str
    topic: str
    partition: int
    offset: int
    event_id: str | None
    event_type: str | None
    attempts: int
    actor: str
    reason: str
    discarded_at: UtcDatetime
