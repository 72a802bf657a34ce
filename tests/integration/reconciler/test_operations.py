"""Bulk operations: dry run, apply, outcomes, revert (REC-9b)."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from chassis import clock
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from contracts.money import Money
from harness import Infra, Stack, start_services
from integration.reconciler.open_exceptions import insert_open
from integration.reconciler.stored_exceptions import TARGETS, insert, random_exception, random_members
from reconciler.adapters.operation_queries import OperationItemRecord, OperationRecord
from reconciler.domain.clocks import Reading
from reconciler.domain.filter_members import parse_members
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.operations import (
    Action,
    OperationRefusedError,
    PlannedStep,
    Selection,
    StepArguments,
)
from reconciler.domain.step_requests import StepRequest, acknowledging, commenting, resolving
from reconciler.handlers import operation_queries, queries
from reconciler.handlers.exception_workflow import take_step
from reconciler.handlers.operation_batches import BatchFailedError, work_batch
from reconciler.handlers.operations import (
    DryRun,
    OperationRules,
    apply_operation,
    plan_operation,
    revert_operation,
    start_operation,
)

RULES = OperationRules(None, TARGETS)
SEED = 9
PLANS = 40
FIXED = StepArguments(resolution="fixed")


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        yield stack


@pytest.fixture(scope="module")
async def database(own: Stack) -> AsyncGenerator[Database]:
    opened = Database(own.database("reconciler").dsn("reconciler"), application_name="test")
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
def booking() -> str:
    return clock.new_id()


def of(booking: str) -> Selection:
    return Selection(query=ExceptionFilter(booking_id=booking))


def resolve(by: str, reason: str = "card fixed") -> PlannedStep:
    return PlannedStep("resolve", FIXED, reason, by)


async def plan(database: Database, planned: PlannedStep, selection: Selection) -> DryRun:
    async with database.transaction() as connection:
        return await plan_operation(connection, planned, selection, RULES)


async def apply(database: Database, dry_run: DryRun, *, by: str, count: int, token: str = "") -> None:
    async with database.transaction() as connection:
        await apply_operation(
            connection,
            dry_run.operation_id,
            RULES,
            by=by,
            token=token or dry_run.token,
            expected_count=count,
        )


async def start(database: Database, planned: PlannedStep, selection: Selection, count: int) -> str:
    async with database.transaction() as connection:
        return await start_operation(connection, planned, selection, RULES, expected_count=count)


async def revert(database: Database, operation_id: str, by: str = "kim") -> None:
    async with database.transaction() as connection:
        await revert_operation(connection, operation_id, by=by, reason="wrong card")


async def take(database: Database, exception: str, request: StepRequest) -> None:
    async with database.transaction() as connection:
        await take_step(connection, exception, request, expects=lambda _: True, now=clock.now())


async def work(database: Database, items_max: int = 100) -> None:
    """Work until nothing is left to do."""
    while True:
        try:
            if await work_batch(database, second_person_above=None, items_max=items_max) is None:
                return
        except BatchFailedError:
            continue


async def read(database: Database, operation_id: str) -> OperationRecord:
    return await operation_queries.get_operation(database, operation_id)


async def items(
    database: Database, operation_id: str, outcome: str | None = None
) -> list[OperationItemRecord]:
    rows = await operation_queries.list_items(
        database, operation_id, after=None, outcome=outcome, rows_max=1000
    )
    return [row for row in rows if not isinstance(row, UnreadableRow)]


def counted(**outcomes: int) -> dict[str, int]:
    none = dict.fromkeys(("pending", "stepped", "unchanged", "refused", "reverted", "not_reverted"), 0)
    return none | outcomes


async def test_dry_run_tells_what_applying_does(own: Stack, database: Database, booking: str) -> None:
    dollars = await insert_open(own, 120, booking=booking)
    yen = await insert_open(own, 80, booking=booking, currency="JPY", amount=3000)
    await insert_open(own, 3, booking=booking, currency=None, amount=None)
    for exception in dollars[:4]:
        await take(database, exception, acknowledging("ana"))
    await take(database, yen[0], acknowledging("kim"))
    acknowledges = PlannedStep("acknowledge", StepArguments(), "", "ana")
    dry_run = await plan(database, acknowledges, of(booking))
    assert dry_run.plan.selected.count == 203
    assert dry_run.plan.selected.sums == {"USD": -84_000, "JPY": 240_000}
    assert dry_run.plan.selected.without_amount == 3
    assert dry_run.plan.outcomes == {"stepped": 198, "unchanged": 4, "refused": 1}
    first, *others = dry_run.plan.sample
    assert (first.candidate.id, first.attempt.outcome) == (yen[0], "refused")
    assert "acknowledged by kim" in first.attempt.detail
    assert len(others) == 9
    assert (await read(database, dry_run.operation_id)).status == "planned"

    await apply(database, dry_run, by="ana", count=203)
    await apply(database, dry_run, by="ana", count=203)
    await work(database)
    operation = await read(database, dry_run.operation_id)
    assert operation.status == "applied"
    assert operation.counts == counted(stepped=198, unchanged=4, refused=1)
    assert operation.sums == {"USD": -84_000, "JPY": 240_000}
    assert Counter(item.outcome for item in await items(database, operation.id)) == dry_run.plan.outcomes
    [refused] = await items(database, operation.id, "refused")
    assert refused.detail == first.attempt.detail
    steps = await own.database("reconciler").fetchval(
        "SELECT count(*) FROM exception_event WHERE operation_id = $1 AND actor = 'ana'", operation.id
    )
    assert steps == 198


async def test_other_count_starts_nothing_and_says_how_many_there_are_now(
    own: Stack, database: Database, booking: str
) -> None:
    await insert_open(own, 3, booking=booking)
    dry_run = await plan(database, resolve("ana"), of(booking))
    await insert_open(own, 1, booking=booking)
    with pytest.raises(OperationRefusedError, match="4 selected now") as refused:
        await apply(database, dry_run, by="ana", count=3)
    assert (refused.value.kind, refused.value.count) == ("count-changed", 4)
    assert await items(database, dry_run.operation_id) == []
    with pytest.raises(OperationRefusedError, match="selection_token"):
        await apply(database, dry_run, by="ana", count=4, token="another")
    with pytest.raises(OperationRefusedError, match="selection_token"):
        await apply(database, dry_run, by="kim", count=4)
    await own.database("reconciler").execute(
        "UPDATE exception_operation SET token_expires_at = now() WHERE id = $1", dry_run.operation_id
    )
    with pytest.raises(OperationRefusedError) as too_old:
        await apply(database, dry_run, by="ana", count=4)
    assert too_old.value.kind == "selection-token-expired"
    with pytest.raises(OperationRefusedError, match="never applied"):
        await revert(database, dry_run.operation_id)
    with pytest.raises(OperationRefusedError, match="4 selected now"):
        await start(database, resolve("ana"), of(booking), 5)


async def test_selection_is_frozen_when_the_operation_starts(
    own: Stack, database: Database, booking: str
) -> None:
    ids = await insert_open(own, 3, booking=booking)
    operation_id = await start(database, resolve("ana"), of(booking), 3)
    await insert_open(own, 2, booking=booking)
    await work(database)
    assert [item.exception_id for item in await items(database, operation_id)] == ids
    assert (await read(database, operation_id)).counts == counted(stepped=3)


async def test_taken_back_where_nobody_has_gone_on(own: Stack, database: Database, booking: str) -> None:
    ids = await insert_open(own, 130, booking=booking)
    await take(database, ids[0], resolving("kim", "fixed", "mine", up_to=None, second_person_above=None))
    operation_id = await start(database, resolve("ana"), Selection(ids=tuple(ids)), 130)
    await work(database)
    await take(database, ids[1], commenting("bo", "seen"))
    reopened = PlannedStep("reopen", StepArguments(), "not fixed", "bo")
    other = await start(database, reopened, Selection(ids=(ids[2],)), 1)
    await work(database)
    await revert(database, operation_id)
    await revert(database, operation_id)
    await work(database)
    operation = await read(database, operation_id)
    assert (operation.status, operation.reverted_by, operation.revert_reason) == (
        "reverted",
        "kim",
        "wrong card",
    )
    assert operation.counts == counted(refused=1, reverted=128, not_reverted=1)
    [kept] = await items(database, operation_id, "not_reverted")
    assert (kept.exception_id, kept.detail) == (ids[2], "revert: `reopened` by bo is the last step now")
    statuses = Counter(item.status for item in await items(database, operation_id))
    assert statuses == {"open": 129, "resolved": 1}
    assert (await read(database, other)).counts == counted(stepped=1)


async def test_taken_back_before_its_end(own: Stack, database: Database, booking: str) -> None:
    await insert_open(own, 30, booking=booking)
    operation_id = await start(database, resolve("ana"), of(booking), 30)
    await work_batch(database, second_person_above=None, items_max=10)
    await revert(database, operation_id)
    await work(database)
    operation = await read(database, operation_id)
    assert operation.counts == counted(reverted=10, unchanged=20)


async def test_two_operations_on_the_same_exceptions(own: Stack, database: Database, booking: str) -> None:
    ids = await insert_open(own, 150, booking=booking)
    mine = await start(database, resolve("ana"), of(booking), 150)
    yours = await start(database, resolve("kim"), of(booking), 150)
    await asyncio.gather(*(work(database, 20) for _ in range(3)))
    operations = [await read(database, each) for each in (mine, yours)]
    assert sum(each.counts["stepped"] for each in operations) == 150
    assert all(each.counts["stepped"] + each.counts["refused"] == 150 for each in operations)
    for operation_id, other in ((mine, "kim"), (yours, "ana")):
        for refused in await items(database, operation_id, "refused"):
            assert f"{other} resolved it as fixed at" in (refused.detail or "")
    resolved = await own.database("reconciler").fetchval(
        "SELECT count(*) FROM exception_event WHERE exception_id = ANY($1::uuid[]) AND kind = 'resolved'", ids
    )
    assert resolved == 150


async def test_damaged_exception_is_refused_and_the_others_are_worked_on(
    own: Stack, database: Database, booking: str
) -> None:
    ids = await insert_open(own, 5, booking=booking)
    await own.database("reconciler").execute(
        "UPDATE exception SET opened_at = '20000-01-01' WHERE id = $1", ids[2]
    )
    operation_id = await start(database, resolve("ana"), of(booking), 5)
    await work(database)
    operation = await read(database, operation_id)
    assert (operation.status, operation.error) == ("applied", None)
    assert operation.counts == counted(stepped=4, refused=1)
    [refused] = await items(database, operation_id, "refused")
    assert refused.exception_id == ids[2]
    assert "given up after" in (refused.detail or "")
    # Other tests select exceptions of all bookings.
    await own.database("reconciler").execute("UPDATE exception SET opened_at = now() WHERE id = $1", ids[2])


@pytest.mark.parametrize(
    ("action", "arguments", "text"),
    [
        ("assign", StepArguments(assignee="kim"), ""),
        ("suppress", StepArguments(until=None, beyond=900, occurrences=3), "known"),
        ("comment", StepArguments(), "seen"),
        ("resolve", StepArguments(resolution="accepted", up_to=900), "rounding"),
    ],
)
async def test_action_takes_the_arguments_of_the_single_step(
    own: Stack, database: Database, booking: str, action: Action, arguments: StepArguments, text: str
) -> None:
    await insert_open(own, 2, booking=booking)
    operation_id = await start(database, PlannedStep(action, arguments, text, "ana"), of(booking), 2)
    await work(database)
    operation = await read(database, operation_id)
    assert operation.counts == counted(stepped=2)
    assert operation.reason == (text or None)
    await own.database("reconciler").execute(
        "DELETE FROM exception_operation_reason WHERE operation_id = $1", operation_id
    )
    assert (await read(database, operation_id)).reason_erased is bool(text)


async def test_erased_selection_selects_nothing(own: Stack, database: Database, booking: str) -> None:
    await insert_open(own, 1, booking=booking)
    dry_run = await plan(database, resolve("ana"), of(booking))
    await own.database("reconciler").execute(
        "UPDATE exception_operation SET selection = '{}' WHERE id = $1", dry_run.operation_id
    )
    with pytest.raises(OperationRefusedError, match="erased"):
        await apply(database, dry_run, by="ana", count=1)


async def test_list_is_newest_first(own: Stack, database: Database, booking: str) -> None:
    await insert_open(own, 1, booking=booking)
    made = [(await plan(database, resolve("ana"), of(booking))).operation_id for _ in range(3)]
    page = await operation_queries.list_operations(database, before=None, status="planned", rows_max=2)
    assert [row.id for row in page] == [made[2], made[1]]
    last = page[-1]
    assert isinstance(last, OperationRecord)
    assert last.token_expires_at == last.created_at + timedelta(minutes=15)
    before = (last.created_at, last.id)
    rest = await operation_queries.list_operations(database, before=before, status="planned", rows_max=2)
    assert rest[0].id == made[0]


async def test_any_plan_comes_true_and_selects_what_the_list_shows(own: Stack, database: Database) -> None:
    random = Random(SEED)
    rows = [random_exception(random) for _ in range(300)]
    await insert(own.database("reconciler"), rows)
    choices: list[PlannedStep] = [
        PlannedStep("acknowledge", StepArguments(), "", "ana"),
        PlannedStep("assign", StepArguments(assignee="kim"), "", "kim"),
        PlannedStep("resolve", StepArguments(resolution="accepted", up_to=Money(900, "USD")), "r", "ana"),
        PlannedStep("resolve", StepArguments(resolution="fixed"), "r", "kim"),
        PlannedStep("reopen", StepArguments(), "r", "ana"),
        PlannedStep("suppress", StepArguments(occurrences=3, beyond=Money(5, "JPY")), "r", "kim"),
        PlannedStep("comment", StepArguments(), "c", "ana"),
    ]
    changed: Counter[str] = Counter()
    for _ in range(PLANS):
        # Time passes between plan and start, and what becomes overdue meanwhile would be selected otherwise.
        query = replace(parse_members(random_members(random, rows)), overdue=None)
        planned = random.choice(choices)
        dry_run = await plan(database, planned, Selection(query=query))
        now = clock.now()
        shown = await queries.list_exceptions(database, query, Reading(now, TARGETS), after=None, rows_max=1)
        assert shown.total == dry_run.plan.selected.count
        if shown.total == 0:
            continue
        await apply(database, dry_run, by=planned.by, count=shown.total)
        await work(database)
        operation = await read(database, dry_run.operation_id)
        assert operation.counts == counted(**dry_run.plan.outcomes), (planned, query)
        assert operation.sums == dry_run.plan.selected.sums, (planned, query)
        changed.update(dry_run.plan.outcomes)
        if random.random() < 0.3:
            await revert(database, operation.id)
            await work(database)
            taken_back = (await read(database, operation.id)).counts
            reverted = "not_reverted" if planned.action == "comment" else "reverted"
            assert taken_back == counted(
                unchanged=operation.counts["unchanged"],
                refused=operation.counts["refused"],
                **{reverted: operation.counts["stepped"]},
            )
    assert all(changed[outcome] for outcome in ("stepped", "unchanged", "refused"))
