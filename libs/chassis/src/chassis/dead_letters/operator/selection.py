"""What an operator's options mean: an age, a key, the lines and messages that are meant."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from chassis.dead_letters import queries
from chassis.dead_letters.queries import DeadLetter, Filter, WaitingLine
from chassis.postgres.database import Connection
from chassis.process.command_line import CommandError
from contracts.text import sanitize_for_postgres

_AGE = re.compile(r"([0-9]{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which waiting messages are meant: one by id, or all that a filter lets through."""

    id: str | None = None
    wanted: Filter = field(default_factory=Filter)


def parse_age(text: str) -> timedelta:
    """An age such as 90s, 30m, 2h or 7d.

    Raises:
        CommandError: it is none.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise CommandError(f"{text!a} is no age: write a number and s, m, h or d, such as 2h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_filter(
    *,
    key: str | None,
    topic: str | None,
    reason: str | None,
    older_than: str | None,
    newer_than: str | None,
    now: Callable[[], datetime],
) -> Filter:
    """What waits and was set aside so.

    Ages are told by the database's clock, which stamped what was set aside: `now` asks it, where an age is
    given.

    Raises:
        CommandError: an age is none.
    """
    older = None if older_than is None else parse_age(older_than)
    newer = None if newer_than is None else parse_age(newer_than)
    asked_at = None if older is None and newer is None else now()
    return Filter(
        topic=None if topic is None else sanitize_for_postgres(topic),
        key=None if key is None else os.fsencode(key),
        reason=reason,
        set_aside_before=None if asked_at is None or older is None else asked_at - older,
        set_aside_since=None if asked_at is None or newer is None else asked_at - newer,
    )


def parse_selection(dead_letter_id: str | None, wanted: Filter, *, everything: bool = False) -> Selection:
    """Exactly one of an id, a filter that leaves something out, or all.

    Raises:
        CommandError: none of them, or several.
    """
    if [dead_letter_id is not None, wanted != Filter(), everything].count(True) != 1:
        raise CommandError(
            "say which: an ID, or --key, --topic, --set-aside-reason, --older-than, --newer-than together, "
            "or (replay only) --all; exactly one of the three"
        )
    return Selection(dead_letter_id, wanted)


async def found_letter(connection: Connection, consumer: str, dead_letter_id: str) -> DeadLetter:
    """The dead letter of that id, whatever its status.

    Raises:
        CommandError: there is none.
    """
    try:
        letter = await queries.find(connection, consumer, UUID(dead_letter_id))
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
        return await queries.waiting_lines(connection, consumer, wanted.wanted)
    topic, key = (await waiting_letter(connection, consumer, wanted.id)).line
    return await queries.waiting_lines(connection, consumer, Filter(topic=topic, key=key))
