"""Records that expired before the service read them are announced like what it set aside."""

from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres.database import Connection
from contracts.dead_letters import MessagesLost


async def announce_loss(connection: Connection, lost: MessagesLost) -> None:
    """Announce a lost range through the outbox. The range is the event's identity: a repetition is a copy."""
    place = f"{lost.topic}/{lost.partition}"
    await append(
        connection,
        [
            OutgoingEvent(
                payload=lost,
                key=place,
                source=lost.consumer,
                event_id=f"messages.lost/{lost.group}/{place}/{lost.first_offset}-{lost.last_offset}",
            )
        ],
    )
