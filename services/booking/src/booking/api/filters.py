"""Query parameters of booking's lists."""

from typing import Annotated

from litestar.params import QueryParameter

from booking.api.problems import unknown_booking
from booking.domain.booking import parse_booking_id
from chassis.http.paging import PAGE_ROWS_MAX, bad_cursor, decode_cursor
from contracts.ids import BookingId

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
