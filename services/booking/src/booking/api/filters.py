"""Query parameters of booking's lists."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from litestar.params import QueryParameter

from booking.adapters.phone_numbers import to_e164
from booking.api.problems import unknown_booking
from booking.domain.booking import parse_booking_id
from chassis.http.page_sizes import PAGE_ROWS_MAX
from chassis.http.paging import bad_cursor, decode_cursor
from chassis.http.problems import InvalidRequestError
from contracts.ids import BookingId

_NO_DATE = "expected a date such as 2026-11-24"
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

SearchText = Annotated[str | None, QueryParameter(min_length=1, max_length=200)]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]


def parse_id(text: str) -> BookingId:
    """Return the booking id of a path.

    Raises:
        Problem: 404, the text is no booking id.
    """
    parsed = parse_booking_id(text)
    if parsed is None:
        raise unknown_booking(text)
    return parsed


def parse_phone(phone: str | None, country: str) -> str | None:
    """Return a phone number to search for in E.164; a number of another form as it is."""
    return None if phone is None else to_e164(phone, country) or phone


def parse_day(day: str | None, time_zone: str) -> tuple[datetime, datetime] | None:
    """Return start and end of a local day, such as 2026-11-24.

    Raises:
        InvalidRequestError: the text is no date.
    """
    if day is None:
        return None
    if not _DATE.fullmatch(day):
        raise InvalidRequestError("day", _NO_DATE)
    try:
        date = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(time_zone))
        # The next midnight by the calendar: a day can have 23 or 25 hours.
        return date.astimezone(UTC), (date + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequestError("day", _NO_DATE) from None


def parse_cursor(cursor: str | None, query: object) -> BookingId | None:
    """Return the id at which the previous page ended; bookings and payments are sorted by id.

    Args:
        cursor: `next_cursor` of the previous page; None for the first page.
        query: path and filters that the cursor must belong to.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
    """
    key = decode_cursor(cursor, [str], query)
    if key is None:
        return None
    position = parse_booking_id(key[0])
    if position is None:
        raise bad_cursor()
    return position
