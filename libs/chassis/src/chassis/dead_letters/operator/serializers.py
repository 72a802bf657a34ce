"""Dead letters as JSON, the same over HTTP and from the command line.

A body can hold a phone number or the text of a message: lists leave it out, and so do logs.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from chassis.dead_letters.queries import ActionTaken, DeadLetter
from chassis.dead_letters.replay import Failure, Outcome
from chassis.messaging.message import event_of
from chassis.postgres.stored_rows import UnreadableRow, show_rows


class _Item(TypedDict):
    id: str
    status: str
    topic: str
    partition: int
    offset: int
    key: str
    event_id: str | None
    event_type: str | None
    reason: str
    error: str
    attempts: int
    set_aside_at: datetime


def items(letters: Sequence[DeadLetter | UnreadableRow]) -> list[Any]:
    """Return the rows of a list; one that cannot be shown is marked."""
    return show_rows(letters, item, _Item, key=lambda letter: letter.id)


def item(letter: DeadLetter) -> Any:
    """A row of a list."""
    message = letter.message
    event_id, event_type = event_of(message.headers)
    return {
        "id": letter.id,
        "status": letter.status,
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "key": text(message.key),
        "event_id": event_id,
        "event_type": event_type,
        "reason": letter.reason,
        "error": letter.error,
        "attempts": letter.attempts,
        "set_aside_at": letter.set_aside_at,
    }


def detail(letter: DeadLetter, actions: Sequence[ActionTaken]) -> dict[str, Any]:
    """One dead letter with all that is known of it: `value_base64` is exact, the texts are for reading."""
    message = letter.message
    return {
        **item(letter),
        "key_base64": b64encode(message.key).decode(),
        "headers": [{"name": name, "value": text(value)} for name, value in message.headers],
        "value_base64": b64encode(message.value).decode(),
        "value_text": text(message.value),
        "actions": [
            {
                "action": action.action,
                "actor": action.actor,
                "reason": action.reason,
                **({"reason_erased": True} if action.reason_erased else {}),
                "error": action.error,
                "recorded_at": action.recorded_at,
            }
            for action in actions
        ],
    }


def replay_answer(outcome: Outcome, *, waiting: int) -> dict[str, Any]:
    """What a replay achieved, and how many messages still wait where it worked."""
    failure = outcome.failure and failure_item(outcome.failure)
    return {"replayed": outcome.replayed, "failure": failure, "waiting": waiting}


def failure_item(failure: Failure) -> dict[str, str]:
    """The message at which a replay stopped."""
    return {"id": failure.dead_letter_id, "error": failure.error}


def text(raw: bytes) -> str:
    """Bytes for a person to read; what is not UTF-8 shows as U+FFFD."""
    return raw.decode(errors="replace")
