"""R5B: a step on 1,000 exceptions, with the outcome of each."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bench.judging import Comparison, Sample
from bench.measuring import Meter
from bench.row import Experiment, Row, Side, Size
from chassis import clock
from chassis.postgres import Database
from harness import Stack, eventually, start_services
from harness.embedded import EmbeddedInfra
from integration.reconciler.open_exceptions import insert_open
from integration.reconciler.stored_exceptions import TARGETS
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.operations import PlannedStep, Selection, StepArguments
from reconciler.domain.step_requests import resolving
from reconciler.handlers.exception_workflow import take_step
from reconciler.handlers.operation_queries import get_operation, list_items
from reconciler.handlers.operations import OperationRules, apply_operation, plan_operation

OURS, ONE_BY_ONE = "bulk operation", "one by one"
SURVIVES = "process dies: all; machine dies: all that was committed"
EXCEPTIONS = 1_000
END_SECONDS_MAX = 120.0
RULES = OperationRules(None, TARGETS)
WRITTEN_OFF = PlannedStep("resolve", StepArguments(resolution="written_off"), "old card", "ana")

_RESOLVED = "SELECT count(*) FROM exception_event WHERE kind = 'resolved'"


@asynccontextmanager
async def database_of(stack: Stack) -> AsyncGenerator[Database]:
    database = Database(stack.database("reconciler").dsn("reconciler"), application_name="bench")
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


async def bulk(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """From the request to the outcome of the last exception, beside the relay of the same process."""
    del size
    async with start_services(infra, "reconciler") as stack, database_of(stack) as database:
        [service] = stack.services("reconciler")
        booking = clock.new_id()
        ids = await insert_open(stack, EXCEPTIONS, booking=booking)
        meter = Meter({"reconciler": service.pid, "postgres": infra.postgres.pid})
        if side == OURS:
            outcomes = await _operation(database, booking)
        else:
            outcomes = [await _single(database, each) for each in ids]
        usage = meter.read()
        resolved = await stack.database("reconciler").fetchval(_RESOLVED)
    is_right = resolved == outcomes.count("stepped") == EXCEPTIONS
    violations = [] if is_right else [f"{resolved} of {EXCEPTIONS} exceptions are resolved"]
    cpu = {name: seconds / EXCEPTIONS * 1e6 for name, seconds in usage.cpu_seconds.items()}
    return Sample("bulk", side, round_, {"seconds": usage.seconds}, cpu, usage.others_share, violations)


async def _operation(database: Database, booking: str) -> list[str]:
    selection = Selection(query=ExceptionFilter(booking_id=booking))
    async with database.transaction() as connection:
        dry_run = await plan_operation(connection, WRITTEN_OFF, selection, RULES)
    async with database.transaction() as connection:
        await apply_operation(
            connection,
            dry_run.operation_id,
            RULES,
            by="ana",
            token=dry_run.token,
            expected_count=EXCEPTIONS,
        )

    async def applied() -> bool:
        return (await get_operation(database, dry_run.operation_id)).status == "applied"

    await eventually(applied, seconds=END_SECONDS_MAX)
    items = await list_items(
        database, dry_run.operation_id, after=None, outcome="stepped", rows_max=EXCEPTIONS
    )
    return ["stepped" for _ in items]


async def _single(database: Database, exception_id: str) -> str:
    request = resolving("ana", "written_off", "old card", up_to=None, second_person_above=None)
    async with database.transaction() as connection:
        await take_step(connection, exception_id, request, expects=lambda _: True, now=clock.now())
    return "stepped"


ROW = Row(
    name="R5B",
    title="a step on 1,000 exceptions, with the outcome of each",
    sides=(
        Side(OURS, "dry run, apply and outcomes; `reconciler serve` works on it, as deployed", SURVIVES),
        Side(ONE_BY_ONE, "`take_step` in a transaction of its own for each, without HTTP", SURVIVES),
    ),
    experiments=(Experiment("bulk", {"seconds": "seconds"}, bulk),),
    comparisons=(
        Comparison("bulk", "seconds", "1,000 exceptions, seconds", OURS, None, "≤ 2"),
        Comparison("bulk", "seconds", "time, ÷ one by one", OURS, ONE_BY_ONE),
    ),
    yardsticks=("pgbench -N",),
)
