"""What a run reads: all bookings, one booking, those changed since a time, or those of one month (REC-2)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.times import TimeError, parse_time

FORMS = "all, booking:<id>, since:<time> or month:<year>-<month>"
TEXT_CHARACTERS_MAX = 100
# The years before and after have months whose bounds are outside of the calendar in some zone.
YEAR_MIN, YEAR_MAX = 2, 9998

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_SHOWN_CHARACTERS_MAX = 40
_DECEMBER = 12


class ScopeError(ValueError):
    """The text names no scope. The message is one line with the valid forms."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run reads. At most one of the fields is set; without one, all bookings.

    Attributes:
        booking_id: the only booking.
        since: bookings of which something changed at or after this time.
        month: first day of a month; bookings that start in it, in the time zone of the business.
    """

    booking_id: str | None = None
    since: datetime | None = None
    month: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Return the text that `parse_scope` reads."""
        if self.booking_id is not None:
            return f"booking:{self.booking_id}"
        if self.since is not None:
            return f"since:{self.since.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"
        if self.month is not None:
            return "month:{:04}-{:02}".format(*self.month)
        return "all"

    @property
    def stale(self) -> Literal["all", "one", "none"]:
        """Which bookings outside of the view a run of this scope may look up.

        A booking that left the view is in no month and has no time of change: a run of all bookings, or of
        that booking, resolves its exceptions.
        """
        if self.booking_id is not None:
            return "one"
        return "all" if self == ALL else "none"


ALL = Scope()


def parse_scope(text: str) -> Scope:
    """Return the scope that a text names.

    Raises:
        ScopeError: the text names none.
    """
    kind, colon, value = text.partition(":")
    match kind, bool(colon):
        case "all", False:
            return ALL
        case "booking", True:
            return Scope(booking_id=_booking_id(value))
        case "since", True:
            return Scope(since=_since(value))
        case "month", True:
            return Scope(month=_month(value))
        case _:
            raise ScopeError(f"{_shown(text)} is no scope: expected {FORMS}")


def month_bounds(month: tuple[int, int], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of a month and that of the next one, in UTC."""
    year, number = month
    following = (year + 1, 1) if number == _DECEMBER else (year, number + 1)
    begins, ends = (datetime(*each, 1, tzinfo=zone).astimezone(UTC) for each in (month, following))
    return begins, ends


def _booking_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ScopeError(f"booking:{_shown(text)}: expected the id of a booking, a UUID") from None


def _since(text: str) -> datetime:
    try:
        return parse_time(text)
    except TimeError as error:
        raise ScopeError(f"since:{_shown(text)}: {error}") from None


def _month(text: str) -> tuple[int, int]:
    match = _MONTH.fullmatch(text)
    if match is None or not YEAR_MIN <= int(match[1]) <= YEAR_MAX:
        raise ScopeError(f"month:{_shown(text)}: expected a year and a month, such as month:2026-11")
    return int(match[1]), int(match[2])


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN_CHARACTERS_MAX])
