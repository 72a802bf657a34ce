"""Messages that cannot be the events they claim to be are kept apart, and hold nobody up (ALL-7).

Their key is whatever their sender wrote, so no genuine message of that key waits behind them. A flood takes
no room from others: beyond a bound they are counted and logged only. The EventLog has each of them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from chassis.dead_letters.insert import keep
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from chassis.observability.logs import get_logger
from chassis.postgres.database import Connection
from contracts.provenance import misplacement
from contracts.reasons import SetAsideReason

_log = get_logger(__name__)

KEPT_MAX = 1_000
"""So many of a consumer wait for a person."""

Check = Callable[[Connection, Sequence[Message]], Awaitable[Mapping[Message, str]]]
"""A service's own rule, which may look into its database: messages that are misplaced, and why."""

_COUNT = """
SELECT count(*) FROM (
    SELECT FROM dead_letter WHERE consumer = $1 AND status = 'waiting' AND reason = $2 LIMIT $3
) AS counted
"""


class MisplacedMessageError(MalformedMessageError):
    """The message cannot be what it claims to be; find out who published it, then discard it."""


def problem_of(message: Message) -> str:
    """Return why a message is not what it claims to be; "" where it is, or where it cannot be read."""
    try:
        metadata = message.metadata
    except MalformedMessageError:
        return ""
    return misplacement(message.topic, metadata, message.headers)


def assert_in_place(message: Message) -> None:
    """Do nothing for a message that is what it claims to be.

    Raises:
        MisplacedMessageError: it is not.
    """
    if problem := problem_of(message):
        raise MisplacedMessageError(problem)


async def find(connection: Connection, messages: Sequence[Message], also: Check | None) -> dict[Message, str]:
    """Return the misplaced among these messages, each with the reason."""
    found = {message: problem for message in messages if (problem := problem_of(message))}
    if also is not None:
        found |= await also(connection, [message for message in messages if message not in found])
    return found


async def keep_apart(connection: Connection, consumer: str, found: Mapping[Message, str]) -> None:
    """Keep misplaced messages and announce them, as far as there is room, inside the caller's transaction."""
    reason = SetAsideReason.OUT_OF_PLACE
    room = KEPT_MAX - await connection.fetchval(_COUNT, consumer, reason.value, KEPT_MAX)
    for number, (message, problem) in enumerate(found.items()):
        _log.error(
            "message out of place: it is not applied",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            problem=problem,
            kept=number < room,
        )
        if number < room:
            error = f"{MisplacedMessageError.__name__}: {problem}"
            await keep(connection, consumer, [message], reason=reason, error=error, attempts=0)
