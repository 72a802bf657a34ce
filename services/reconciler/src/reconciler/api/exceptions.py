"""The exception queue over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from chassis.http import Problem
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, decode_cursor, page
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from reconciler.adapters.exception_list import ExceptionRow, Filter, Position
from reconciler.api.parameters import Cursor, Limit, chosen, place
from reconciler.api.shapes import ExceptionDetail, ExceptionPage, exception_detail, exception_items
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.sightings import EXCEPTION_STATUSES, EXCEPTION_TYPES
from reconciler.handlers import lookups

Type = Annotated[str | None, QueryParameter(name="type")]


@get(
    "/api/exceptions",
    summary="What a person must look at, high first, then oldest first",
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
    """Without a `status`, resolved exceptions are listed too. The summary counts all pages."""
    wanted = Filter(
        type=chosen("type", kind, EXCEPTION_TYPES),
        status=chosen("status", status, EXCEPTION_STATUSES),
        severity=chosen("severity", severity, SEVERITIES),
    )
    found = await lookups.exceptions(searches, wanted, after=_position(cursor, wanted), rows_max=limit + 1)
    rows = page(found.rows, limit=limit, key=_key, of=("exceptions", wanted))
    return {
        "exceptions": exception_items(rows["items"]),
        "summary": {"total": found.total, "by_type": found.by_type, "by_severity": found.by_severity},
        "next_cursor": rows["next_cursor"],
    }


@get(
    "/api/exceptions/{exception_id:uuid}",
    summary="One exception and what happened to it",
    opt=refuses({404: ["exception-not-found", "not-found"], **STORED_ROW}),
)
async def get_exception(database: NamedDependency[Database], exception_id: FromPath[UUID]) -> ExceptionDetail:
    """The exception as in the list, and its history, oldest first."""
    found = await lookups.exception(database, str(exception_id))
    if found is None:
        raise Problem(404, "exception-not-found", f"there is no exception {exception_id}")
    return exception_detail(*found)


def _key(row: ExceptionRow | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else row.position.key


def _position(cursor: str | None, wanted: Filter) -> Position | None:
    key = decode_cursor(cursor, (int, str, str), ("exceptions", wanted))
    return None if key is None else Position(key[0], *place(key[1], key[2]))
