"""What an operator's options mean: an age, a key, the lines and messages that are meant."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.cli import CommandError
from chassis.dead_letters import reading
from chassis.dead_letters.reading import DeadLetter, WaitingLine
from chassis.messages import storable
from chassis.postgres import Connection

_AGE = re.compile(r"([0-9]{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which waiting messages are meant: one by id, those of a key, or all; perhaps of one topic only."""

    id: str | None = None
    key: bytes | None = None
    topic: str | None = None


def parse_age(text: str) -> timedelta:
    """An age such as 90s, 30m, 2h or 7d.

    Raises:
        CommandError: it is none.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise CommandError(f"--older-than {text}: write a number and s, m, h or d, such as 2h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_selection(
    dead_letter_id: str | None, *, key: str | None, topic: str | None, everything: bool = False
) -> Selection:
    """Exactly one of an id, a key, or all.

    Raises:
        CommandError: none of them, or several.
    """
    if [dead_letter_id is not None, key is not None, everything].count(True) != 1:
        raise CommandError("say which: an ID, or --key KEY, or (replay only) --all; exactly one of them")
    if dead_letter_id is None:
        return Selection(
            key=None if key is None else os.fsencode(key),
            topic=None if topic is None else storable(topic),
        )
    if topic is not None:
        raise CommandError("--topic goes with --key or --all; an ID names its message already")
    return Selection(id=dead_letter_id)


async def found_letter(connection: Connection, consumer: str, dead_letter_id: str) -> DeadLetter:
    """The dead letter of that id, whatever its status.

    Raises:
        CommandError: there is none.
    """
    try:
        letter = await reading.find(connection, consumer, UUID(dead_letter_id))
    except ValueError:
        letter = None
    if letter is None:
        raise CommandError(f"there is no dead letter {dead_letter_id!a}; `dead-letters list` shows them")
    return letter


async def waiting_letter(connection: Connection, consumer: str, dead_letter_id: str) -> DeadLetter:
    """The dead letter of that id, waiting.

    Raises:
        CommandError: there is none, or it was settled.
    """
    letter = await found_letter(connection, consumer, dead_letter_id)
    if letter.status != "waiting":
        raise CommandError(f"dead letter {letter.id} was {letter.status} already: nothing to do")
    return letter


async def selected_lines(connection: Connection, consumer: str, wanted: Selection) -> list[WaitingLine]:
    """The lines that are meant: of an id, the one that it waits in.

    Raises:
        CommandError: there is no waiting dead letter of this id.
    """
    if wanted.id is None:
        return await reading.waiting_lines(connection, consumer, topic=wanted.topic, key=wanted.key)
    topic, key = (await waiting_letter(connection, consumer, wanted.id)).line
    return await reading.waiting_lines(connection, consumer, topic=topic, key=key)
