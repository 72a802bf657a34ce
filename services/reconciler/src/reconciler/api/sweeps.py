"""Routes of the Stripe sweep."""

from collections.abc import Sequence
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.http.problems import InvalidRequestError
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from reconciler.adapters.sweep_queries import SweepRecord
from reconciler.api.filters import Cursor, Limit, parse_run_cursor
from reconciler.api.problems import sweeps_are_off, unknown_sweep
from reconciler.api.requests import SweepRequest
from reconciler.api.sweep_responses import (
    SweepDetail,
    SweepItem,
    SweepPage,
    sweep_detail,
    sweep_item,
    sweep_items,
)
from reconciler.handlers import sweep_queries
from reconciler.handlers.sweep_requests import SinceInFutureError, request_sweep

PATH = "/api/sweeps"


@post(
    PATH,
    status_code=202,
    summary="Request a sweep of Stripe's lists; it starts soon",
    response_headers=[ResponseHeader("Location", documentation_only=True, required=True)],
    opt=refuses({409: ["sweep-off"]}),
)
async def post_sweep(
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    sweeps_are_on: NamedDependency[bool],
    data: JSONBody[SweepRequest | None] = None,
) -> Response[SweepItem]:
    """Return the requested sweep."""
    asked = data or SweepRequest()

    async def effect(connection: Connection) -> Response[SweepItem]:
        if not sweeps_are_on:
            raise sweeps_are_off()
        try:
            sweep = await request_sweep(
                connection, trigger="api", requested_by=actor, since=asked.since, is_dry_run=asked.dry_run
            )
        except SinceInFutureError as error:
            raise InvalidRequestError("since", str(error)) from None
        return Response(sweep_item(sweep), headers={"Location": f"{PATH}/{sweep.id}"})

    return await idempotency.run(database, effect)


@get(PATH, summary="Sweeps, newest first")
async def list_sweeps(
    database: NamedDependency[Database], limit: Limit = PAGE_ROWS_DEFAULT, cursor: Cursor = None
) -> SweepPage:
    """List all sweeps, requested by schedule, API or command line."""
    before = parse_run_cursor(cursor, "sweeps")
    sweeps = await sweep_queries.list_sweeps(database, before=before, rows_max=limit + 1)
    rows = page(sweeps, limit=limit, key=_key, of="sweeps")
    return {"items": sweep_items(rows["items"]), "next_cursor": rows["next_cursor"]}


@get(
    PATH + "/{sweep_id:uuid}",
    summary="One sweep: its counts and what it has found",
    opt=refuses({404: ["not-found", "sweep-not-found"], **STORED_ROW}),
)
async def get_sweep(database: NamedDependency[Database], sweep_id: FromPath[UUID]) -> SweepDetail:
    """Return a sweep. Its counts grow page by page while it runs."""
    sweep = await sweep_queries.get_sweep(database, str(sweep_id))
    if sweep is None:
        raise unknown_sweep(sweep_id)
    return sweep_detail(*sweep)


def _key(sweep: SweepRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    if isinstance(sweep, UnreadableRow):
        return sweep.position
    return sweep.requested_at.isoformat(), sweep.id


ROUTES: Sequence[ControllerRouterHandler] = (post_sweep, list_sweeps, get_sweep)
