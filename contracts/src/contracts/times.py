"""RFC 3339 times from outside. No other module reads them.

Digits alone are refused. A lenient reader takes "2026" for a moment in 1970, and "1796140800" for seconds or
milliseconds: a filter would return a whole log, and a booking would start on another day.
"""

import re
from datetime import UTC, datetime

EXAMPLE = "2026-03-08T15:00:00Z"
_OUT_OF_RANGE = "a time outside of the years 1 to 9999 in UTC"

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
_HOUR = r"(?:[01][0-9]|2[0-3]):[0-9]{2}"
_RFC_3339 = re.compile(rf"{_DAY}{_HOUR}:[0-9]{{2}}(?:\.[0-9]+)?(?:[Zz]|[+-]{_HOUR})")
_OFFSET_LOST = re.compile(rf"(.*[0-9]) ({_HOUR})")
_WITHOUT_OFFSET = re.compile(rf"{_DAY}{_HOUR}(?::[0-9]{{2}}(?:\.[0-9]+)?)?")


class TimeError(ValueError):
    """The text is not an RFC 3339 time. The message says why and shows an example."""


def parse_time(text: str) -> datetime:
    """Return the moment of an RFC 3339 text, in UTC.

    Raises:
        TimeError: the text is not RFC 3339, or its moment is outside of the years 1 to 9999 in UTC.
    """
    if not _RFC_3339.fullmatch(text):
        raise TimeError(_problem_of(text))
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise TimeError(_OUT_OF_RANGE) from None
    except ValueError as error:
        raise TimeError(f"no such time: {error}; expected one such as {EXAMPLE}") from None


def read_time(value: object) -> datetime:
    """Return the moment of a JSON value: RFC 3339 text, or a `datetime` with an offset.

    Raises:
        TimeError: the value is a number, another text, or a `datetime` without an offset.
    """
    if isinstance(value, str):
        return parse_time(value)
    if not isinstance(value, datetime):
        raise TimeError(f"expected an RFC 3339 time as text, such as {EXAMPLE}")
    if value.tzinfo is None:
        raise TimeError('a time needs its offset; add "Z" for UTC')
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise TimeError(_OUT_OF_RANGE) from None


def _problem_of(text: str) -> str:
    if _WITHOUT_OFFSET.fullmatch(text):
        return f'a time needs seconds and its offset, such as {EXAMPLE}; add "Z" for UTC'
    if (lost := _OFFSET_LOST.fullmatch(text)) and _RFC_3339.fullmatch(f"{lost[1]}+{lost[2]}"):
        return f'the "+" of an offset is written %2B in a URL: {lost[1]}%2B{lost[2]}'
    return f"expected an RFC 3339 time such as {EXAMPLE}"
