"""Which payloads are too old: whole months, so that their tables can be dropped (AU-10)."""

import re
from datetime import date, datetime, timedelta

DAYS_MIN = 1
DAYS_MAX = 36_500

_DAYS = re.compile(r"([1-9]\d{0,4})d")


class RetentionError(ValueError):
    """An age that retention cannot use; the text says what is expected."""


def parse_days(text: str) -> timedelta:
    """Return an age such as `400d`.

    Raises:
        RetentionError: it has another form.
    """
    days = int(match[1]) if (match := _DAYS.fullmatch(text)) else 0
    if not DAYS_MIN <= days <= DAYS_MAX:
        raise RetentionError(
            f"{text}: expected a number of days such as 400d, from {DAYS_MIN}d to {DAYS_MAX}d"
        )
    return timedelta(days=days)


def first_kept_month(now: datetime, age: timedelta) -> date:
    """Return the first day of the oldest month that is kept: the month that was running `age` ago, in UTC."""
    try:
        return (now - age).date().replace(day=1)
    except OverflowError:
        return date(1, 1, 1)
