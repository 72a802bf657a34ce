"""Routes of the EventLog."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from audit.adapters.event_log_queries import EntryRecord
from audit.api.filters import Cursor, Format, From, Limit, Text, To, parse_cursor
from audit.api.problems import EXCEPTION_HANDLERS, unknown_entry
from audit.api.responses import EntryDetail, EntryPage, entry_items, ndjson, shown_entry
from audit.domain.facts import Status
from audit.domain.filters import EntryFilter, Position, entry_filter
from audit.handlers import queries
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, page
from chassis.http.problems import InvalidRequestError
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from contracts.metadata import format_time

NDJSON = "application/x-ndjson"
COMPLETE_UNTIL = "Complete-Until"
"""Header of an export: the export has all entries recorded before this time."""

AnyRequest = Request[Any, Any, Any]

_LISTED = {
    200: ResponseSpec(EntryPage, generate_examples=False, description="A page; all as NDJSON if asked")
}


@get(
    "/api/event-log",
    summary="EventLog entries, newest first",
    tags=["log"],
    responses=_LISTED,
    opt=refuses(READ_REFUSALS),
    exception_handlers=EXCEPTION_HANDLERS,
)
async def event_log(  # noqa: PLR0917 - one parameter per filter (interface.md)
    request: AnyRequest,
    database: NamedDependency[Database],
    searches: NamedDependency[Database],
    exports: NamedDependency[Database],
    event_type: Text = None,
    status: FromQuery[Status | None] = None,
    source: Text = None,
    booking_id: Text = None,
    event_id: Text = None,
    recorded_from: From = None,
    recorded_to: To = None,
    q: Text = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
    format_: Format = None,
) -> Response[EntryPage] | Stream:
    query = entry_filter(
        event_type=event_type,
        status=status,
        source=source,
        booking_id=booking_id,
        event_id=event_id,
        recorded_from=recorded_from,
        recorded_to=recorded_to,
        text=q,
    )
    after = parse_cursor(cursor, query)
    if format_ == "ndjson" or (format_ is None and NDJSON in request.headers.get("accept", "")):
        _refuse_paging(request)
        return await _export(exports, query)
    return Response(await _entry_page(searches if query.is_search else database, query, after, limit))


@get(
    "/api/event-log/{entry_id:int}",
    summary="One entry",
    tags=["log"],
    opt=refuses({404: ["not-found"], **STORED_ROW}),
)
async def event_log_entry(entry_id: FromPath[int], database: NamedDependency[Database]) -> EntryDetail:
    entry = await queries.get_entry(database, entry_id)
    if entry is None:
        raise unknown_entry(entry_id)
    return {**shown_entry(entry), "payload_digest": entry.payload_digest.hex()}


async def _export(exports: Database, query: EntryFilter) -> Stream:
    export = await queries.export_entries(exports, query)
    until = {COMPLETE_UNTIL: format_time(export.complete_until)}
    return Stream(ndjson(export.pages), media_type=NDJSON, headers=until)


async def _entry_page(
    database: Database, query: EntryFilter, after: Position | None, limit: int
) -> EntryPage:
    listed = await queries.list_entries(database, query, after=after, rows_max=limit + 1)
    shown = page(listed.entries, limit=limit, key=_key, of=query)
    return {
        "items": entry_items(shown["items"]),
        "next_cursor": shown["next_cursor"],
        "complete_until": format_time(listed.complete_until),
    }


def _refuse_paging(request: AnyRequest) -> None:
    """Raise `InvalidRequestError` for an export with a page: an export is always the whole answer."""
    for name in ("limit", "cursor"):
        if name in request.query_params:
            raise InvalidRequestError(name, "an export takes none, it gives out every entry; leave it away")


def _key(entry: EntryRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return entry.position if isinstance(entry, UnreadableRow) else entry.position.to_key()
