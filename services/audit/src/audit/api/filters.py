"""Query parameters of audit's lists."""

from datetime import datetime
from typing import Annotated

from litestar.params import QueryParameter

from audit.domain.filters import EntryFilter, Position
from chassis.http.paging import PAGE_ROWS_MAX, decode_cursor

Text = Annotated[str | None, QueryParameter(max_length=500)]
From = Annotated[datetime | None, QueryParameter(name="from", description="recorded then or later")]
To = Annotated[datetime | None, QueryParameter(name="to", description="recorded before")]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
Format = Annotated[str | None, QueryParameter(name="format", pattern="^(json|ndjson)$")]


def parse_cursor(cursor: str | None, query: EntryFilter) -> Position | None:
    """Return the position at which the previous page ended; None for the first page.

    Raises:
        InvalidRequestError: the cursor is malformed, or belongs to another query.
        FilterError: no entry can have this position.
    """
    key = decode_cursor(cursor, (int, int), query)
    return None if key is None else Position.from_key(*key)
