"""Routes of runs."""

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
from chassis.postgres import Connection, Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow, show_row
from reconciler.adapters.run_findings import FindingRecord
from reconciler.adapters.run_queries import RunRecord
from reconciler.api.filters import Cursor, Limit, parse_finding_cursor, parse_run_cursor
from reconciler.api.problems import no_dry_run, run_ended, unknown_run
from reconciler.api.run_requests import Cancellation, RunRequest
from reconciler.api.run_responses import FindingPage, RunItem, RunPage, finding_items, run_item, run_items
from reconciler.handlers import run_cancellation, run_queries
from reconciler.handlers.run_requests import request_run

PATH = "/api/reconciliation/runs"
_UNKNOWN = {404: ["not-found", "run-not-found"]}


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
    """Return the requested run. A dry run writes its findings to `…/findings`, and nothing to the queue."""
    request = data or RunRequest()

    async def effect(connection: Connection) -> Response[RunItem]:
        run = await request_run(
            connection,
            trigger="api",
            requested_by=actor,
            scope=request.parsed_scope,
            is_dry_run=request.dry_run,
        )
        return Response(run_item(run), headers={"Location": f"{PATH}/{run.id}"})

    return await idempotency.run(database, effect)


@get(PATH, summary="Runs, newest first")
async def list_runs(
    database: NamedDependency[Database], limit: Limit = PAGE_ROWS_DEFAULT, cursor: Cursor = None
) -> RunPage:
    """List all runs, requested by schedule, API or command line."""
    before = parse_run_cursor(cursor, "runs")
    runs = await run_queries.list_runs(database, before=before, rows_max=limit + 1)
    rows = page(runs, limit=limit, key=_key, of="runs")
    return {"items": run_items(rows["items"]), "next_cursor": rows["next_cursor"]}


@get(
    PATH + "/{run_id:uuid}",
    summary="One run: its progress, counts and sums",
    opt=refuses({**_UNKNOWN, **STORED_ROW}),
)
async def get_run(database: NamedDependency[Database], run_id: FromPath[UUID]) -> RunItem:
    """Return a run. Its counts grow page by page while it runs."""
    run = await run_queries.get_run(database, str(run_id))
    if run is None:
        raise unknown_run(run_id)
    return show_row(run, run_item, RunItem, key=lambda run: run.id)


@get(
    PATH + "/{run_id:uuid}/findings",
    summary="Findings of a dry run, high first",
    opt=refuses({**_UNKNOWN, 409: ["no-dry-run"], **STORED_ROW, **READ_REFUSALS}),
)
async def list_findings(
    searches: NamedDependency[Database],
    run_id: FromPath[UUID],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> FindingPage:
    """List the findings of a dry run, also while it runs. They are deleted 30 days after it."""
    query = ("findings", str(run_id))
    after = parse_finding_cursor(cursor, query)
    run = await run_queries.get_run(searches, str(run_id))
    if run is None:
        raise unknown_run(run_id)
    if not run.is_dry_run:
        raise no_dry_run(run_id)
    findings = await run_queries.list_findings(searches, str(run_id), after=after, rows_max=limit + 1)
    rows = page(findings.rows, limit=limit, key=_finding_key, of=query)
    return {
        "items": finding_items(rows["items"]),
        "summary": {
            "total": findings.total,
            "by_type": findings.by_type,
            "by_severity": findings.by_severity,
        },
        "next_cursor": rows["next_cursor"],
    }


@post(
    PATH + "/{run_id:uuid}/cancel",
    status_code=202,
    summary="Cancel a run: a requested one at once, a running one at its next page",
    opt=refuses({**_UNKNOWN, 409: ["run-ended"], **STORED_ROW}),
)
async def cancel_run(
    run_id: FromPath[UUID],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[Cancellation | None] = None,
) -> Response[RunItem]:
    """Return the run: cancelled, or running with `cancel_requested_at`. Its findings until then stay."""
    del data  # only checked: an unknown member is refused

    async def effect(connection: Connection) -> Response[RunItem]:
        try:
            run = await run_cancellation.cancel_run(connection, str(run_id), cancelled_by=actor)
        except run_cancellation.UnknownRunError as error:
            raise unknown_run(run_id) from error
        except run_cancellation.RunEndedError as error:
            raise run_ended(str(error)) from error
        return Response(run_item(run))

    return await idempotency.run(database, effect)


def _key(run: RunRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return run.position if isinstance(run, UnreadableRow) else (run.requested_at.isoformat(), run.id)


def _finding_key(finding: FindingRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return finding.position


ROUTES: Sequence[ControllerRouterHandler] = (post_run, list_runs, get_run, list_findings, cancel_run)
