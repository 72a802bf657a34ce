"""Query parameters of audit's lists. The two providers are the dependencies `selected` and `streamed`."""

from datetime import datetime
from typing import Annotated

from litestar.params import FromQuery, QueryParameter

from audit.api.problems import invalid_filter
from audit.domain.facts import Status
from audit.domain.filters import EntryFilter, FilterError, Position, entry_filter
from chassis.http.page_sizes import PAGE_ROWS_MAX
from chassis.http.paging import decode_cursor

_TEXT_CHARACTERS_MAX = 500
_WORDS = (
    "words in order within one field, the last one as a beginning: type, source, ids, actor, error;"
    " `payment_intent` and `payment int` find stripe.payment_intent.succeeded, `ayment` does not"
)

Text = Annotated[str | None, QueryParameter(max_length=_TEXT_CHARACTERS_MAX)]
From = Annotated[datetime | None, QueryParameter(name="from", description="recorded then or later")]
To = Annotated[datetime | None, QueryParameter(name="to", description="recorded before")]
# Not `actor`: this name is the caller's.
By = Annotated[
    str | None, QueryParameter(max_length=_TEXT_CHARACTERS_MAX, description="`actor` of the entry")
]
Words = Annotated[str | None, QueryParameter(max_length=_TEXT_CHARACTERS_MAX, description=_WORDS)]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
Format = Annotated[str | None, QueryParameter(name="format", pattern="^(json|ndjson)$")]


async def provide_entry_filter(
    *,
    event_type: Text = None,
    status: FromQuery[Status | None] = None,
    source: Text = None,
    booking_id: Text = None,
    event_id: Text = None,
    by: By = None,
    recorded_from: From = None,
    recorded_to: To = None,
    q: Words = None,
) -> EntryFilter:
    """Return the filter that the query parameters describe.

    Raises:
        InvalidRequestError: 400 that names the parameter.
    """
    try:
        return entry_filter(
            event_type=event_type,
            status=status,
            source=source,
            booking_id=booking_id,
            event_id=event_id,
            actor=by,
            recorded_from=recorded_from,
            recorded_to=recorded_to,
            text=q,
        )
    except FilterError as error:
        raise invalid_filter(error) from error


async def provide_stream_filter(
    *,
    event_type: Text = None,
    status: FromQuery[Status | None] = None,
    source: Text = None,
    booking_id: Text = None,
    event_id: Text = None,
    by: By = None,
    recorded_from: From = None,
    q: Words = None,
) -> EntryFilter:
    """Return the filter of a stream: as `provide_entry_filter`, without an end."""
    return await provide_entry_filter(
        event_type=event_type,
        status=status,
        source=source,
        booking_id=booking_id,
        event_id=event_id,
        by=by,
        recorded_from=recorded_from,
        q=q,
    )


def parse_cursor(cursor: str | None, query: EntryFilter) -> Position | None:
    """Return the position at which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, belongs to another query, or names no position.
    """
    key = decode_cursor(cursor, (int, int), query)
    try:
        return None if key is None else Position.from_key(*key)
    except FilterError as error:
        raise invalid_filter(error) from error
