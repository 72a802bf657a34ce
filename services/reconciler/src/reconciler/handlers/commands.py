"""Checks that a command may request the run that it names (ALL-7)."""

from collections.abc import Sequence
from uuid import UUID

from chassis import clock
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from chassis.postgres import Connection
from contracts.catalogue import CARD_BY_MODEL
from contracts.reconciliation import RunRequested
from reconciler.adapters import runs
from reconciler.domain.runs import foreign_request_problem

RUN_REQUESTED = CARD_BY_MODEL[RunRequested].event_type


async def misplaced_commands(connection: Connection, messages: Sequence[Message]) -> dict[Message, str]:
    """Return the commands that claim a run id of another request, each with the reason.

    Schedule, API and command line insert the run before they send its command. A command of another sender
    names a run without a row, and must not take the id of a future slot.
    """
    commands = {message: command for message in messages if (command := _read(message))}
    if not commands:
        return {}
    known = await runs.known(connection, [UUID(command.run_id) for command in commands.values()])
    now = clock.now()
    return {
        message: problem
        for message, command in commands.items()
        if UUID(command.run_id) not in known
        and (problem := foreign_request_problem(command.run_id, command.trigger, command.slot, now=now))
    }


def _read(message: Message) -> RunRequested | None:
    """Return the command; None for another message and for an unreadable one, which fails when applied."""
    try:
        if message.metadata.type != RUN_REQUESTED:
            return None
        command = message.payload(RunRequested)
        UUID(command.run_id)
    except (MalformedMessageError, ValueError):
        return None
    return command
