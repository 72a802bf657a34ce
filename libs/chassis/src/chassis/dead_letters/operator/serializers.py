"""Dead letters as JSON, the same over HTTP and from the command line.

A body can hold a phone number or the text of a message. Lists and logs leave bodies out.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from chassis.dead_letters.history import Outcome
from chassis.dead_letters.queries import ActionTaken, DeadLetter, WaitingKey
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
    """Return the rows of a list; a row that cannot be shown is marked."""
    return show_rows(letters, _item, _Item, key=lambda letter: letter.id)


def detail(letter: DeadLetter, actions: Sequence[ActionTaken]) -> dict[str, Any]:
    """Return one dead letter with all its data: `value_base64` is exact, the texts are for reading."""
    message = letter.message
    return {
        **_item(letter),
        "key_base64": b64encode(message.key).decode(),
        "headers": [{"name": name, "value": _text(value)} for name, value in message.headers],
        "value_base64": b64encode(message.value).decode(),
        "value_text": _text(message.value),
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


def replay_plan(keys: Sequence[WaitingKey]) -> dict[str, int]:
    """Return the answer of a dry run: how many lines, with how many messages, a replay would take."""
    return {"lines": len(keys), "messages": sum(key.messages for key in keys)}


def failures(outcome: Outcome) -> list[dict[str, str]]:
    """Return the messages that could not be replayed or discarded."""
    return [{"id": failure.dead_letter_id, "error": failure.error} for failure in outcome.failures]


def _item(letter: DeadLetter) -> Any:
    message = letter.message
    event_id, event_type = event_of(message.headers)
    return {
        "id": letter.id,
        "status": letter.status,
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "key": _text(message.key),
        "event_id": event_id,
        "event_type": event_type,
        "reason": letter.reason,
        "error": letter.error,
        "attempts": letter.attempts,
        "set_aside_at": letter.set_aside_at,
    }


def _text(raw: bytes) -> str:
    """Return bytes for a person to read; what is not UTF-8 shows as U+FFFD."""
    return raw.decode(errors="replace")
