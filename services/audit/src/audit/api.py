"""HTTP: the EventLog, its entries, and status histories (AU-5)."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

from litestar import Request, Response, get
from litestar.exceptions import ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from audit.adapters.event_log_reading import StoredEntry
from audit.domain.facts import Status
from audit.domain.identifiers import booking_identifier
from audit.domain.query import Filters, Position, QueryError, filters
from audit.handlers.items import (
    EntryItem,
    TransitionItem,
    UnreadableEntry,
    UnreadableTransition,
    entry_items,
    shown_entry,
)
from audit.handlers.reading import Databases, booking_history, export_entries, find_entry, list_entries
from chassis.auth.access import READERS, Access
from chassis.http import Problem
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, decode_cursor, page
from chassis.http.request_checks import InvalidRequestError
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from contracts.metadata import format_time

NDJSON = "application/x-ndjson"
COMPLETE_UNTIL = "Complete-Until"
"""Header of an export: entries recorded before this time are all in it."""

Text = Annotated[str | None, QueryParameter(max_length=500)]
From = Annotated[datetime | None, QueryParameter(name="from", description="recorded then or later")]
To = Annotated[datetime | None, QueryParameter(name="to", description="recorded before")]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
Format = Annotated[str | None, QueryParameter(name="format", pattern="^(json|ndjson)$")]
AnyRequest = Request[Any, Any, Any]

ACCESS: Access = {
    "GET /api/event-log": READERS,
    "GET /api/event-log/{entry_id}": READERS,
    "GET /api/bookings/{booking_id}/history": READERS,
}
"""Who may do what here: the one table of audit's routes (ALL-4)."""


class EntryPage(TypedDict):
    """Entries, newest first. Entries recorded at `complete_until` or later are in no answer yet."""

    items: list[EntryItem | UnreadableEntry]
    next_cursor: str | None
    complete_until: str


class EntryDetail(EntryItem):
    """An entry with what binds it to its payload: SHA-256(salt ‖ body), in hexadecimal."""

    payload_digest: str


class BookingHistory(TypedDict):
    """Oldest first, up to the first gap; what is missing and what waits is named where there is one."""

    booking_id: str
    history: list[TransitionItem | UnreadableTransition]
    missing_versions: NotRequired[list[int]]
    waiting_versions: NotRequired[list[int]]


_LISTED = {
    200: ResponseSpec(EntryPage, generate_examples=False, description="A page; all as NDJSON if asked")
}
_UNKNOWN = refuses({404: ["not-found"]})
_UNKNOWN_OR_UNREADABLE = refuses({404: ["not-found"], **STORED_ROW})


def routes(databases: Databases) -> Sequence[ControllerRouterHandler]:
    """Return the service's routes over its database."""

    @get(
        "/api/event-log",
        summary="EventLog entries, newest first",
        tags=["log"],
        responses=_LISTED,
        opt=refuses(READ_REFUSALS),
    )
    async def event_log(  # noqa: PLR0917 - one parameter per filter (interface.md)
        request: AnyRequest,
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
        with _answered_as_400():
            wanted = filters(
                event_type=event_type,
                status=status,
                source=source,
                booking_id=booking_id,
                event_id=event_id,
                recorded_from=recorded_from,
                recorded_to=recorded_to,
                text=q,
            )
            after = _position(cursor, wanted)
        if format_ == "ndjson" or (format_ is None and NDJSON in request.headers.get("accept", "")):
            _refuse_paging(request)
            return await _export(databases, wanted)
        return Response(await _entry_page(databases, wanted, after, limit))

    @get("/api/event-log/{entry_id:int}", summary="One entry", tags=["log"], opt=_UNKNOWN_OR_UNREADABLE)
    async def event_log_entry(entry_id: FromPath[int]) -> EntryDetail:
        entry = await find_entry(databases.ordinary, entry_id)
        if entry is None:
            raise Problem(404, "not-found", f"the log has no entry {entry_id}")
        return {**shown_entry(entry), "payload_digest": entry.payload_digest.hex()}

    @get("/api/bookings/{booking_id:str}/history", summary="Status history", tags=["bookings"], opt=_UNKNOWN)
    async def status_history(booking_id: FromPath[str]) -> BookingHistory:
        found = await booking_history(databases.ordinary, booking_identifier(booking_id))
        if found is None:
            raise Problem(404, "not-found", "the log knows of no booking with this id")
        answer: BookingHistory = {"booking_id": booking_identifier(booking_id), "history": found.transitions}
        if found.missing_versions:
            answer["missing_versions"] = found.missing_versions
            answer["waiting_versions"] = found.waiting_versions
        return answer

    return [event_log, event_log_entry, status_history]


async def _export(databases: Databases, wanted: Filters) -> Stream:
    export = await export_entries(databases.exports, wanted)
    until = {COMPLETE_UNTIL: format_time(export.complete_until)}
    return Stream(export.lines, media_type=NDJSON, headers=until)


async def _entry_page(databases: Databases, wanted: Filters, after: Position | None, limit: int) -> EntryPage:
    listed = await list_entries(databases, wanted, after=after, rows_max=limit + 1)
    shown = page(listed.entries, limit=limit, key=_key, of=wanted)
    return {
        "items": entry_items(shown["items"]),
        "next_cursor": shown["next_cursor"],
        "complete_until": format_time(listed.complete_until),
    }


def _refuse_paging(request: AnyRequest) -> None:
    """Raise `InvalidRequestError` where an export is asked for a page: it is always the whole answer."""
    for name in ("limit", "cursor"):
        if name in request.query_params:
            raise InvalidRequestError(name, "an export takes none, it gives out every entry; leave it away")


def _key(entry: StoredEntry | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return entry.position if isinstance(entry, UnreadableRow) else entry.position.to_key()


def _position(cursor: str | None, wanted: Filters) -> Position | None:
    key = decode_cursor(cursor, (int, int), wanted)
    return None if key is None else Position.from_key(*key)


@contextmanager
def _answered_as_400() -> Generator[None]:
    try:
        yield
    except QueryError as error:
        raise ValidationException(str(error)) from error
