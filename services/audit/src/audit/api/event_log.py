"""Routes of the EventLog: list, export, one entry, values of filters."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from audit.adapters.event_log_queries import EntryRecord, ValueField
from audit.api.filters import Cursor, Format, Limit, parse_cursor
from audit.api.problems import log_damaged, unknown_entry
from audit.api.responses import (
    EntryDetail,
    EntryPage,
    FilterValues,
    entry_items,
    ndjson,
    shown_entry,
    shown_time,
)
from audit.domain.filters import EntryFilter, Position
from audit.domain.log.policies import Policy
from audit.handlers import queries
from audit.handlers.exports import Exporter, export_entries
from audit.handlers.proving import DamagedLogError, get_proof
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.http.problems import InvalidRequestError
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS, ReadPool
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from contracts.metadata import format_time

NDJSON = "application/x-ndjson"
COMPLETE_UNTIL = "Complete-Until"
"""Header of an export: the export has all entries recorded before this time."""

AnyRequest = Request[Any, Any, Any]

_LISTED = {
    200: ResponseSpec(EntryPage, generate_examples=False, description="A page; all as NDJSON if asked")
}
_EXPORTED = {
    200: ResponseSpec(
        str, media_type=NDJSON, generate_examples=False, description="The items of the list, one a line"
    )
}
_FIELDS: Sequence[ValueField] = ("event_type", "source", "status")
_Field = Annotated[ValueField | None, QueryParameter(description="only the values of this field")]


@get(
    "/api/event-log",
    summary="EventLog entries, newest first",
    tags=["log"],
    responses=_LISTED,
    opt=refuses(READ_REFUSALS),
)
async def event_log(
    *,
    request: AnyRequest,
    database: NamedDependency[Database],
    searches: NamedDependency[ReadPool],
    exports: NamedDependency[ReadPool],
    actor: NamedDependency[str],
    selected: NamedDependency[EntryFilter],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
    format_: Format = None,
) -> Response[EntryPage] | Stream:
    after = parse_cursor(cursor, selected)
    if format_ == "ndjson" or (format_ is None and NDJSON in request.headers.get("accept", "")):
        _refuse_paging(request)
        return await _export(exports, database, selected, actor)
    if not selected.is_search:
        return Response(await _entry_page(database, selected, after, limit))
    async with searches.deadline():
        return Response(await _entry_page(searches, selected, after, limit))


@get(
    "/api/event-log/export",
    summary="All entries of a filter as NDJSON, oldest first",
    tags=["log"],
    media_type=NDJSON,
    response_headers=[ResponseHeader(COMPLETE_UNTIL, documentation_only=True, required=True)],
    responses=_EXPORTED,
    opt=refuses(READ_REFUSALS),
)
async def event_log_export(
    database: NamedDependency[Database],
    exports: NamedDependency[ReadPool],
    actor: NamedDependency[str],
    selected: NamedDependency[EntryFilter],
) -> Stream:
    return await _export(exports, database, selected, actor)


@get("/api/event-log/values", summary="Values of filters, as entries have them", tags=["log"])
async def event_log_values(database: NamedDependency[Database], field: _Field = None) -> FilterValues:
    values = await queries.list_values(database, _FIELDS if field is None else (field,))
    more = [name for name, items in values.items() if len(items) > queries.VALUES_MAX]
    response: FilterValues = {"more": more}
    for name, items in values.items():
        response[name] = items[: queries.VALUES_MAX]
    return response


@get(
    "/api/event-log/{entry_id:int}",
    summary="One entry",
    tags=["log"],
    opt=refuses({404: ["not-found"], 500: [*STORED_ROW[500], "log-damaged"]}),
)
async def event_log_entry(
    entry_id: FromPath[int],
    database: NamedDependency[Database],
    witnesses: NamedDependency[Policy | None],
) -> EntryDetail:
    entry = await queries.get_entry(database, entry_id)
    if entry is None:
        raise unknown_entry(entry_id)
    proof = None if entry.leaf_index is None else await _proof(database, entry.leaf_index, witnesses)
    return {**shown_entry(entry), "payload_digest": entry.payload_digest.hex(), "proof": proof}


async def _proof(database: Database, leaf_index: int, witnesses: Policy | None) -> str | None:
    try:
        return await get_proof(database, leaf_index, witnesses)
    except DamagedLogError:
        raise log_damaged() from None


async def _export(exports: ReadPool, database: Database, query: EntryFilter, actor: str) -> Stream:
    export = await export_entries(exports, database, query, Exporter(actor, "http"))
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
        "oldest_retained": shown_time(listed.oldest_retained),
        "complete": listed.is_complete,
    }


def _refuse_paging(request: AnyRequest) -> None:
    """Raise `InvalidRequestError` for an export with a page: an export is always the whole answer."""
    for name in ("limit", "cursor"):
        if name in request.query_params:
            raise InvalidRequestError(name, "an export takes none, it gives out every entry; leave it away")


def _key(entry: EntryRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return entry.position if isinstance(entry, UnreadableRow) else entry.position.to_key()
