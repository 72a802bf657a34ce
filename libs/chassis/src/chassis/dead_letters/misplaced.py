"""Misplaced messages: they cannot be the events they claim to be (ALL-7).

Their sender chose the key, so no genuine message of that key waits behind them. They have a limit of their
own, so that a flood of them leaves room for other dead letters. Messages beyond it are only logged and
counted; the EventLog has each of them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from chassis.dead_letters.insert import insert
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from chassis.observability.logs import get_logger
from chassis.postgres.database import Connection
from contracts.provenance import misplacement
from contracts.reasons import SetAsideReason

_log = get_logger(__name__)

# Waiting misplaced messages of a consumer.
MISPLACED_ROWS_MAX = 1_000

# A service's own rule, which may query its database. Returns the misplaced messages, each with the reason.
Check = Callable[[Connection, Sequence[Message]], Awaitable[Mapping[Message, str]]]

_COUNT = """
SELECT count(*) FROM (
    SELECT FROM dead_letter WHERE consumer = $1 AND status = 'waiting' AND reason = $2 LIMIT $3
) AS counted
"""


class MisplacedMessageError(MalformedMessageError):
    """The message cannot be what it claims to be. Find out who published it, then discard it."""


def require_in_place(message: Message) -> None:
    """Raise `MisplacedMessageError` if the message cannot be what it claims to be."""
    if problem := _misplacement(message):
        raise MisplacedMessageError(problem)


async def find_misplaced(
    connection: Connection, messages: Sequence[Message], check: Check | None
) -> dict[Message, str]:
    """Return the misplaced messages, each with the reason."""
    reasons = {message: reason for message in messages if (reason := _misplacement(message))}
    if check is not None:
        reasons |= await check(connection, [message for message in messages if message not in reasons])
    return reasons


async def insert_misplaced(connection: Connection, consumer: str, reasons: Mapping[Message, str]) -> None:
    """Store misplaced messages up to MISPLACED_ROWS_MAX, in the caller's transaction, and announce them."""
    reason = SetAsideReason.OUT_OF_PLACE
    room = MISPLACED_ROWS_MAX - await connection.fetchval(_COUNT, consumer, reason.value, MISPLACED_ROWS_MAX)
    for number, (message, problem) in enumerate(reasons.items()):
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
            await insert(connection, consumer, [message], reason=reason, error=error, attempts=0)


def _misplacement(message: Message) -> str:
    """Return why a message cannot be what it claims to be; "" if it can or its metadata are unreadable."""
    try:
        metadata = message.metadata
    except MalformedMessageError:
        return ""
    return misplacement(message.topic, metadata, message.headers)
