"""Known event ids that come with another body: not applied, reported once (BK-10)."""

from collections.abc import Sequence
from datetime import datetime

from booking.adapters.identity_conflicts import insert_conflicts, key_of
from booking.settings import SERVICE
from chassis.messaging.inbox import Conflict
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.postgres import Connection
from contracts.bookings import BookingIdentityConflict


async def report_conflicts(connection: Connection, conflicts: Sequence[Conflict]) -> None:
    """Publish conflicts that were not reported before, inside the caller's transaction."""
    recorded = await insert_conflicts(connection, conflicts)
    by_key = {key_of(conflict): conflict for conflict in conflicts}
    await append(connection, [_event(by_key[key], recorded_at) for key, recorded_at in recorded.items()])


def _event(conflict: Conflict, recorded_at: datetime) -> OutgoingEvent:
    metadata = conflict.message.metadata
    payload = BookingIdentityConflict(
        source=metadata.source,
        event_id=metadata.id,
        first_body_sha256=conflict.first_body_sha256.hex(),
        second_body_sha256=conflict.message.body_sha256.hex(),
        recorded_at=recorded_at,
    )
    key = conflict.message.key.decode(errors="replace") or metadata.id
    return caused_by(
        OutgoingEvent(payload=payload, key=key, source=SERVICE, subject=metadata.subject), metadata
    )
