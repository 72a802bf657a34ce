"""Routes of the exception queue."""

from uuid import UUID

from litestar import Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath

from chassis import clock
from chassis.http.conditional_requests import tagged
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.api.exception_filter import SELECTION_REFUSALS
from reconciler.api.filters import Cursor, Limit, parse_exception_cursor
from reconciler.api.problems import unknown_exception
from reconciler.api.responses import (
    ExceptionDetail,
    ExceptionPage,
    exception_detail,
    exception_items,
)
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.filters import ExceptionFilter
from reconciler.handlers import queries

ETAG = ResponseHeader(
    "ETag",
    documentation_only=True,
    required=True,
    description="of the exception: version and digest of the representation, to be sent back in If-Match",
)


@get(
    "/api/exceptions",
    summary="Exceptions: what a person must look at, high first, then oldest first",
    opt=refuses({**SELECTION_REFUSALS, **READ_REFUSALS}),
)
async def list_exceptions(
    searches: NamedDependency[Database],
    targets: NamedDependency[Targets],
    selected: NamedDependency[ExceptionFilter],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> ExceptionPage:
    """List exceptions; without a `status`, resolved ones too. The summary counts all pages."""
    reading = Reading(clock.now(), targets)
    after = parse_exception_cursor(cursor, ("exceptions", selected))
    exceptions = await queries.list_exceptions(searches, selected, reading, after=after, rows_max=limit + 1)
    rows = page(exceptions.rows, limit=limit, key=_key, of=("exceptions", selected))
    return {
        "exceptions": exception_items(rows["items"], reading),
        "summary": {
            "total": exceptions.total,
            "by_type": exceptions.by_type,
            "by_severity": exceptions.by_severity,
        },
        "next_cursor": rows["next_cursor"],
    }


@get(
    "/api/exceptions/{exception_id:uuid}",
    summary="One exception and its history",
    response_headers=[ETAG],
    opt=refuses({404: ["exception-not-found", "not-found"], **STORED_ROW}),
)
async def get_exception(
    database: NamedDependency[Database], targets: NamedDependency[Targets], exception_id: FromPath[UUID]
) -> Response[ExceptionDetail]:
    """Return the exception as in the list, and its history. The ETag begins with the version."""
    row = await queries.get_exception(database, str(exception_id))
    if row is None:
        raise unknown_exception(exception_id)
    exception, steps = row
    detail = exception_detail(exception, steps, Reading(clock.now(), targets))
    return tagged(detail, exception.state.version)


def _key(row: ExceptionRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else row.position.to_key()
