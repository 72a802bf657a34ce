"""The operator's parameters: a filter, an age, a target."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from chassis.dead_letters.operator.actions import DeadLetterNotFoundError, Target
from chassis.dead_letters.queries import Filter, Status
from chassis.process.command_line import CommandError
from contracts.reasons import SetAsideReason
from contracts.text import sanitize_for_postgres

_AGE = re.compile(r"([0-9]{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def build_filter(
    *,
    status: Status = "waiting",
    topic: str | None,
    key: bytes | None,
    reason: SetAsideReason | None,
    set_aside_before: datetime | None,
    set_aside_since: datetime | None,
) -> Filter:
    """Return the filter of a list, a replay or a discard, over HTTP and from the command line."""
    return Filter(
        status,
        None if topic is None else sanitize_for_postgres(topic),
        key,
        reason,
        set_aside_before,
        set_aside_since,
    )


def parse_age(text: str) -> timedelta:
    """Return an age such as 90s, 30m, 2h or 7d.

    Raises:
        CommandError: the text is no age.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise CommandError(f"{text!a} is no age: write a number and s, m, h or d, such as 2h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_id(text: str) -> UUID:
    """Return the id of a dead letter.

    Raises:
        DeadLetterNotFoundError: no dead letter can have this id.
    """
    try:
        return UUID(text)
    except ValueError:
        raise DeadLetterNotFoundError(ascii(text)) from None


def parse_target(dead_letter_id: str | None, criteria: Filter, *, everything: bool = False) -> Target:
    """Return the target of a command: exactly one of an id, a filter with at least one condition, or all.

    Raises:
        CommandError: none or several of them are given.
        DeadLetterNotFoundError: no dead letter can have this id.
    """
    if [dead_letter_id is not None, criteria != Filter(), everything].count(True) != 1:
        raise CommandError(
            "say which: an ID, or --key, --topic, --set-aside-reason, --older-than, --newer-than together, "
            "or (replay only) --all; exactly one of the three"
        )
    return criteria if dead_letter_id is None else parse_id(dead_letter_id)
