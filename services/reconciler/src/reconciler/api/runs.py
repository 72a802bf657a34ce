"""Runs over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody

from chassis.http import Problem
from chassis.http.json_bodies import RequestBody
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, decode_cursor, page
from chassis.http.problems import InvalidRequestError
from chassis.postgres import Database
from chassis.postgres.stored_rows import KeyPart, UnreadableRow, show_row
from reconciler.adapters.run_list import RunView
from reconciler.api.parameters import Cursor, Limit, place
from reconciler.api.shapes import RunItem, RunPage, run_item, run_items
from reconciler.handlers import lookups
from reconciler.handlers.requests import request_run

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

IdempotencyKey = Annotated[
    str | None, HeaderParameter(name="Idempotency-Key", max_length=IDEMPOTENCY_KEY_CHARACTERS_MAX)
]


class RunRequest(RequestBody):
    """A run takes no options over HTTP: an empty object, or no body."""


@post("/api/reconciliation/runs", status_code=202, summary="Ask for a run; it starts soon")
async def post_run(
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    data: JSONBody[RunRequest | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> RunItem:
    """The run as requested. The same Idempotency-Key answers with the same run, as it is now."""
    del data  # only checked: a member that nobody reads must not look as if it counted
    if idempotency_key is not None and not idempotency_key.strip():
        raise InvalidRequestError("Idempotency-Key", "empty; leave it away or give it a value")
    run = await request_run(database, trigger="api", requested_by=actor, idempotency_key=idempotency_key)
    return run_item(run)


@get("/api/reconciliation/runs", summary="Runs, newest first")
async def list_runs(
    database: NamedDependency[Database], limit: Limit = PAGE_ROWS_DEFAULT, cursor: Cursor = None
) -> RunPage:
    """Every run that was asked for, by schedule, API or command line."""
    position = decode_cursor(cursor, (str, str), "runs")
    before = None if position is None else place(*position)
    rows = page(
        await lookups.runs(database, before=before, rows_max=limit + 1),
        limit=limit,
        key=_key,
        of="runs",
    )
    return {"items": run_items(rows["items"]), "next_cursor": rows["next_cursor"]}


def _key(run: RunView | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return run.position if isinstance(run, UnreadableRow) else (run.requested_at.isoformat(), run.id)


@get(
    "/api/reconciliation/runs/{run_id:uuid}",
    summary="One run: its counts and sums",
    opt=refuses({404: ["not-found", "run-not-found"], **STORED_ROW}),
)
async def get_run(database: NamedDependency[Database], run_id: FromPath[UUID]) -> RunItem:
    """Counts grow while the run goes on, page by page."""
    run = await lookups.run(database, str(run_id))
    if run is None:
        raise Problem(404, "run-not-found", f"there is no run {run_id}")
    return show_row(run, run_item, RunItem, key=lambda run: run.id)
