"""Routes of bulk operations on exceptions (REC-9b)."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from chassis import clock
from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from reconciler.adapters import operation_queries as stored
from reconciler.adapters.operation_queries import OperationItemRecord, OperationRecord
from reconciler.api.filters import Cursor, Limit, parse_exception_id_cursor, parse_run_cursor
from reconciler.api.operation_problems import OPERATION_EXCEPTION_HANDLERS
from reconciler.api.operation_requests import ApplyBody, OperationBody, OperationRevertBody
from reconciler.api.operation_responses import (
    OperationExceptionPage,
    OperationItem,
    OperationPage,
    PlannedOperation,
    operation_exceptions,
    operation_item,
    operation_items,
    planned_operation,
)
from reconciler.api.problems import unknown_value
from reconciler.domain.clocks import Targets
from reconciler.domain.operations import OPERATION_STATUSES, OUTCOMES
from reconciler.handlers import operation_queries
from reconciler.handlers.operations import (
    DryRun,
    OperationRules,
    apply_operation,
    plan_operation,
    revert_operation,
    start_operation,
)

PATH = "/api/exception-operations"
_UNKNOWN = {404: ["not-found", "operation-not-found"], **STORED_ROW}
_LOCATION = ResponseHeader("Location", documentation_only=True, required=True)

OperationStatusFilter = Annotated[str | None, QueryParameter(name="status")]
Outcome = Annotated[str | None, QueryParameter(description="`refused`, `not_reverted` and so on")]


def provide_rules(
    second_person_above: NamedDependency[int | None], targets: NamedDependency[Targets]
) -> OperationRules:
    """Provide the dependency `rules`."""
    return OperationRules(second_person_above, targets)


@post(
    PATH,
    status_code=201,
    summary="Plan a step on many exceptions (dry run), or start it",
    response_headers=[_LOCATION],
    opt=refuses(
        {
            400: ["invalid-request", "selection-too-large"],
            404: ["exception-not-found"],
            409: ["count-changed"],
        }
    ),
)
async def post_operation(
    data: JSONBody[OperationBody],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    rules: NamedDependency[OperationRules],
    idempotency: NamedDependency[Idempotency],
) -> Response[PlannedOperation]:
    """Return the operation. A dry run changes no exception; its token applies it within 15 minutes."""
    planned, selection, expected_count = data.step(actor), data.selection, data.required_count

    async def effect(connection: Connection) -> Response[PlannedOperation]:
        dry_run: DryRun | None = None
        if expected_count is None:
            dry_run = await plan_operation(connection, planned, selection, rules)
            operation_id = dry_run.operation_id
        else:
            operation_id = await start_operation(
                connection, planned, selection, rules, expected_count=expected_count
            )
        item = planned_operation(await _read(connection, operation_id), dry_run, at=clock.now())
        return Response(item, headers={"Location": f"{PATH}/{operation_id}"})

    return await idempotency.run(database, effect)


@post(
    PATH + "/{operation_id:uuid}/apply",
    status_code=202,
    summary="Apply a planned operation",
    opt=refuses(
        {
            **_UNKNOWN,
            400: ["invalid-request", "selection-too-large"],
            409: ["count-changed", "selection-token-invalid"],
            410: ["selection-token-expired"],
        }
    ),
)
async def apply(
    operation_id: FromPath[UUID],
    data: JSONBody[ApplyBody],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    rules: NamedDependency[OperationRules],
    idempotency: NamedDependency[Idempotency],
) -> Response[OperationItem]:
    """Freeze the selection and start. 409 `count-changed` says how many exceptions are selected now."""

    async def effect(connection: Connection) -> Response[OperationItem]:
        await apply_operation(
            connection,
            str(operation_id),
            rules,
            by=actor,
            token=data.selection_token,
            expected_count=data.expected_count,
        )
        return Response(operation_item(await _read(connection, str(operation_id)), at=clock.now()))

    return await idempotency.run(database, effect)


@post(
    PATH + "/{operation_id:uuid}/revert",
    status_code=202,
    summary="Take an operation back, also while it is applied",
    opt=refuses({**_UNKNOWN, 409: ["operation-not-applied"]}),
)
async def revert(
    operation_id: FromPath[UUID],
    data: JSONBody[OperationRevertBody],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
) -> Response[OperationItem]:
    """Take each step back that is still its exception's last one; the others are `not_reverted`, with why."""

    async def effect(connection: Connection) -> Response[OperationItem]:
        await revert_operation(connection, str(operation_id), by=actor, reason=data.reason)
        return Response(operation_item(await _read(connection, str(operation_id)), at=clock.now()))

    return await idempotency.run(database, effect)


@get(PATH, summary="Bulk operations, newest first")
async def list_operations(
    database: NamedDependency[Database],
    status: OperationStatusFilter = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> OperationPage:
    """List operations, also dry runs that were never applied (`planned`)."""
    _check_choice("status", status, OPERATION_STATUSES)
    query = ("operations", status)
    before = parse_run_cursor(cursor, query)
    operations = await operation_queries.list_operations(
        database, before=before, status=status, rows_max=limit + 1
    )
    rows = page(operations, limit=limit, key=_key, of=query)
    return {
        "items": operation_items(rows["items"], at=clock.now()),
        "next_cursor": rows["next_cursor"],
    }


@get(
    PATH + "/{operation_id:uuid}",
    summary="One bulk operation: its counts and progress",
    opt=refuses(_UNKNOWN),
)
async def get_operation(database: NamedDependency[Database], operation_id: FromPath[UUID]) -> OperationItem:
    """Return an operation. Its counts grow batch by batch while it is worked on."""
    operation = await operation_queries.get_operation(database, str(operation_id))
    return operation_item(operation, at=clock.now())


@get(
    PATH + "/{operation_id:uuid}/items",
    summary="Exceptions of a bulk operation, with the outcome of each",
    opt=refuses(_UNKNOWN),
)
async def list_items(
    database: NamedDependency[Database],
    operation_id: FromPath[UUID],
    outcome: Outcome = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> OperationExceptionPage:
    """List exceptions by id. A planned operation has none yet: its selection is frozen when it starts."""
    _check_choice("outcome", outcome, OUTCOMES)
    query = ("operation-items", str(operation_id), outcome)
    after = parse_exception_id_cursor(cursor, query)
    await operation_queries.get_operation(database, str(operation_id))
    items = await operation_queries.list_items(
        database, str(operation_id), after=after, outcome=outcome, rows_max=limit + 1
    )
    rows = page(items, limit=limit, key=_item_key, of=query)
    return {"items": operation_exceptions(rows["items"]), "next_cursor": rows["next_cursor"]}


async def _read(connection: Connection, operation_id: str) -> OperationRecord:
    operation = await stored.get(connection, operation_id)
    assert operation is not None, "the row was just written"
    return operation


def _check_choice(name: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise unknown_value(name, f"{value[:80]!a} is unknown, choose one of {', '.join(allowed)}", allowed)


def _key(row: OperationRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else (row.created_at.isoformat(), row.id)


def _item_key(row: OperationItemRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else (row.exception_id,)


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path="/",
        route_handlers=[post_operation, apply, revert, list_operations, get_operation, list_items],
        exception_handlers=OPERATION_EXCEPTION_HANDLERS,
        dependencies={"rules": Provide(provide_rules, sync_to_thread=False)},
    ),
)
