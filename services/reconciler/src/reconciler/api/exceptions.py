"""Routes of the exception queue."""

from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from chassis.http.conditional_requests import tagged
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, page
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.api.filters import Cursor, Limit, Type, parse_exception_cursor, parse_exception_filter
from reconciler.api.problems import unknown_exception
from reconciler.api.responses import ExceptionDetail, ExceptionPage, exception_detail, exception_items
from reconciler.handlers import queries


@get(
    "/api/exceptions",
    summary="Exceptions: what a person must look at, high first, then oldest first",
    opt=refuses(READ_REFUSALS),
)
async def list_exceptions(
    searches: NamedDependency[Database],
    kind: Type = None,
    status: FromQuery[str | None] = None,
    severity: FromQuery[str | None] = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> ExceptionPage:
    """List exceptions; without a `status`, resolved ones too. The summary counts all pages."""
    query = parse_exception_filter(kind, status, severity)
    after = parse_exception_cursor(cursor, ("exceptions", query))
    exceptions = await queries.list_exceptions(searches, query, after=after, rows_max=limit + 1)
    rows = page(exceptions.rows, limit=limit, key=_key, of=("exceptions", query))
    return {
        "exceptions": exception_items(rows["items"]),
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
    opt=refuses({404: ["exception-not-found", "not-found"], **STORED_ROW}),
)
async def get_exception(
    database: NamedDependency[Database], exception_id: FromPath[UUID]
) -> Response[ExceptionDetail]:
    """Return the exception as in the list, and its history, oldest first."""
    exception = await queries.get_exception(database, str(exception_id))
    if exception is None:
        raise unknown_exception(exception_id)
    return tagged(exception_detail(*exception), exception[0].version)


def _key(row: ExceptionRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else row.position.to_key()
