"""Routes of views: named filters of the exception queue, own and shared (REC-9d)."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypedDict, cast
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field, StrictBool

from chassis import clock
from chassis.auth.access import OPERATORS_AND_FINANCE
from chassis.auth.identity import Identity
from chassis.http.idempotency import Idempotency
from chassis.http.json_bodies import RequestBody
from chassis.http.openapi.problems import refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.http.problems import Problem
from chassis.postgres import Connection, Database
from contracts.text import sanitize_for_postgres
from reconciler.adapters.exception_views import ViewRecord
from reconciler.api.exception_filter import read_filter
from reconciler.api.filters import Cursor, Limit, parse_view_cursor
from reconciler.api.problems import unknown_view
from reconciler.domain.filter_members import to_members
from reconciler.handlers import exception_views
from reconciler.handlers.exception_views import Deletion, ViewRefusedError

PATH = "/api/exception-views"
NAME_CHARACTERS_MAX = 100


def _in_one_line(text: str) -> str:
    name = sanitize_for_postgres(text)
    if not name.isprintable() or name != name.strip():
        raise ValueError("expected one line of printable characters, without spaces around it")
    return name


class NewView(RequestBody):
    """A named filter. `filter` has the members of the list's query string.

    `shared`: everybody sees it. `default`: the caller sees it first.
    """

    EXAMPLE: ClassVar = {
        "name": "High and mine",
        "filter": {"severity": "high", "assignee": "ana"},
        "shared": True,
    }

    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX), AfterValidator(_in_one_line)]
    filter: dict[str, Any]
    shared: StrictBool = False
    default: StrictBool = False


class DefaultView(RequestBody):
    """Making a view the default takes no options: an empty object, or no body."""


class ViewItem(TypedDict):
    """A named filter. `is_default`: the caller sees it first."""

    id: str
    name: str
    filter: dict[str, Any]
    owner: str
    is_shared: bool
    is_default: bool
    created_at: datetime


class ViewPage(TypedDict):
    """The caller's views and the shared ones, by name."""

    items: list[ViewItem]
    next_cursor: str | None


@post(
    PATH,
    summary="Make a view",
    response_headers=[ResponseHeader("Location", documentation_only=True, required=True)],
    opt=refuses({409: ["too-many-views", "view-exists"]}),
)
async def post_view(
    data: JSONBody[NewView],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
) -> Response[ViewItem]:
    """Make a view of the caller. The filter is checked as in a query string."""
    members = to_members(read_filter(data.filter, inside="filter"))

    async def effect(connection: Connection) -> Response[ViewItem]:
        try:
            view = await exception_views.create_view(
                connection,
                name=data.name,
                members=members,
                owner=actor,
                is_shared=data.shared,
                is_default=data.default,
                now=clock.now(),
            )
        except ViewRefusedError as error:
            raise Problem(409, error.kind, str(error)) from None
        return Response(_item(view), status_code=201, headers={"Location": f"{PATH}/{view.id}"})

    return await idempotency.run(database, effect)


@get(PATH, summary="The caller's views and the shared ones, by name")
async def list_views(
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> ViewPage:
    """List views."""
    after = parse_view_cursor(cursor, "exception-views")
    async with database.connection() as connection:
        views = await exception_views.list_views(connection, actor, after=after, rows_max=limit + 1)
    rows = page(views, limit=limit, key=lambda view: (view.name, view.id), of="exception-views")
    return {"items": [_item(view) for view in rows["items"]], "next_cursor": rows["next_cursor"]}


@post(
    PATH + "/{view_id:uuid}/default",
    status_code=200,
    summary="Make a view the caller's default",
    opt=refuses({404: ["not-found", "view-not-found"]}),
)
async def post_default_view(
    view_id: FromPath[UUID],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[DefaultView | None] = None,
) -> Response[ViewItem]:
    """Let the caller see this view first, an own or a shared one."""
    del data  # only checked: an unknown member is refused

    async def effect(connection: Connection) -> Response[ViewItem]:
        view = await exception_views.make_default(connection, view_id, actor)
        if view is None:
            raise unknown_view(view_id)
        return Response(_item(view))

    return await idempotency.run(database, effect)


@delete(
    PATH + "/{view_id:uuid}",
    status_code=204,
    summary="Delete a view",
    opt=refuses({403: ["view-of-another"], 404: ["not-found", "view-not-found"]}),
)
async def delete_view(
    view_id: FromPath[UUID],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
) -> None:
    """Delete an own view. Operators and finance delete shared views of others too."""
    caller: Identity = request.user
    async with database.transaction() as connection:
        deletion = await exception_views.delete_view(
            connection,
            view_id,
            caller.actor,
            may_delete_shared=bool(caller.roles & OPERATORS_AND_FINANCE),
        )
    if deletion is Deletion.UNKNOWN:
        raise unknown_view(view_id)
    if deletion is Deletion.NOT_OWN:
        raise Problem(403, "view-of-another", f"view {view_id} is of another person; ask its owner")


def _item(view: ViewRecord) -> ViewItem:
    return cast("ViewItem", asdict(view))


ROUTES = (post_view, list_views, post_default_view, delete_view)
