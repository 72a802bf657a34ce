"""Replay of messages that were set aside, for `booking dead-letters replay`."""

from collections.abc import Sequence

from booking.handlers import messages
from booking.settings import SERVICE, OfflineSettings
from chassis.messaging.message import Message
from chassis.postgres import Connection
from chassis.process.local_stack import load_command_settings


async def replay(connection: Connection, replayed: Sequence[Message]) -> int:
    """Apply messages with the settings of the command. Return how many had an effect."""
    settings = load_command_settings(OfflineSettings, SERVICE)
    return await messages.apply(
        connection,
        replayed,
        world=settings.stripe_world,
        fetches_objects=settings.stripe_api_key is not None,
    )
