"""Routes of runs."""

from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, page
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import KeyPart, UnreadableRow, show_row
from reconciler.adapters.run_queries import RunRecord
from reconciler.api.filters import Cursor, Limit, parse_run_cursor
from reconciler.api.problems import unknown_run
from reconciler.api.requests import RunRequest
from reconciler.api.responses import RunItem, RunPage, run_item, run_items
from reconciler.handlers import queries
from reconciler.handlers.run_requests import request_run

PATH = "/api/reconciliation/runs"


@post(
    PATH,
    status_code=202,
    summary="Request a run; it starts soon",
    response_headers=[ResponseHeader("Location", documentation_only=True, required=True)],
)
async def post_run(
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[RunRequest | None] = None,
) -> Response[RunItem]:
    """Return the requested run."""
    del data  # only checked: an unknown member is refused

    async def effect(connection: Connection) -> Response[RunItem]:
        run = await request_run(connection, trigger="api", requested_by=actor)
        return Response(run_item(run), headers={"Location": f"{PATH}/{run.id}"})

    return await idempotency.run(database, effect)


@get(PATH, summary="Runs, newest first")
async def list_runs(
    database: NamedDependency[Database], limit: Limit = PAGE_ROWS_DEFAULT, cursor: Cursor = None
) -> RunPage:
    """List all runs, requested by schedule, API or command line."""
    before = parse_run_cursor(cursor, "runs")
    runs = await queries.list_runs(database, before=before, rows_max=limit + 1)
    rows = page(runs, limit=limit, key=_key, of="runs")
    return {"items": run_items(rows["items"]), "next_cursor": rows["next_cursor"]}


@get(
    PATH + "/{run_id:uuid}",
    summary="One run: its counts and sums",
    opt=refuses({404: ["not-found", "run-not-found"], **STORED_ROW}),
)
async def get_run(database: NamedDependency[Database], run_id: FromPath[UUID]) -> RunItem:
    """Return a run. Its counts grow page by page while it runs."""
    run = await queries.get_run(database, str(run_id))
    if run is None:
        raise unknown_run(run_id)
    return show_row(run, run_item, RunItem, key=lambda run: run.id)


def _key(run: RunRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return run.position if isinstance(run, UnreadableRow) else (run.requested_at.isoformat(), run.id)
