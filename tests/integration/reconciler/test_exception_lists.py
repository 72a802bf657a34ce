"""The exception queue as people read it (REC-9a to REC-9d)."""

from collections import Counter
from collections.abc import AsyncGenerator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from chassis.clock import new_id
from chassis.postgres import Database
from harness import Infra, Stack, start_services
from integration.reconciler.stored_exceptions import (
    NOW,
    TARGETS,
    Row,
    in_order,
    insert,
    matches,
    random_exception,
    random_members,
)
from reconciler.adapters.exception_groups import GroupRecord
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.domain.clocks import Reading
from reconciler.domain.filter_members import parse_members
from reconciler.domain.filters import ExceptionFilter, GroupPosition, Position
from reconciler.handlers import queries

SEED = 17
EXCEPTIONS = 400
FILTERS = 150
READING = Reading(NOW, TARGETS)


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        yield stack


@pytest.fixture(scope="module")
async def rows(own: Stack) -> list[Row]:
    random = Random(SEED)
    made = [random_exception(random) for _ in range(EXCEPTIONS)]
    await insert(own.database("reconciler"), made)
    return made


@pytest.fixture(scope="module")
async def database(own: Stack) -> AsyncGenerator[Database]:
    opened = Database(own.database("reconciler").dsn("reconciler"), application_name="test")
    await opened.start()
    yield opened
    await opened.stop()


def random_filter(random: Random, rows: list[Row]) -> ExceptionFilter:
    return parse_members(random_members(random, rows))


async def all_pages(database: Database, query: ExceptionFilter, rows_max: int) -> list[ExceptionRecord]:
    records: list[ExceptionRecord] = []
    after: Position | None = None
    while True:
        page = await queries.list_exceptions(database, query, READING, after=after, rows_max=rows_max)
        records += [row for row in page.rows if isinstance(row, ExceptionRecord)]
        if not page.rows:
            return records
        after = records[-1].position


async def test_list_and_summary_agree_with_the_filter(database: Database, rows: list[Row]) -> None:
    random = Random(SEED)
    sizes: list[int] = []
    for _ in range(FILTERS):
        query = random_filter(random, rows)
        expected = in_order([row for row in rows if matches(row, query)])
        listed = await all_pages(database, query, random.choice([37, 500]))
        summary = await queries.list_exceptions(database, query, READING, after=None, rows_max=1)
        assert [record.id for record in listed] == [row["id"] for row in expected], query
        assert summary.total == len(expected), query
        assert summary.by_type == Counter(row["type"] for row in expected), query
        assert summary.by_severity == Counter(row["severity"] for row in expected), query
        sizes.append(len(expected))
    assert sum(0 < size < EXCEPTIONS for size in sizes) > FILTERS / 2


async def test_groups_and_export_agree_with_the_list(database: Database, rows: list[Row]) -> None:
    random = Random(SEED + 1)
    for _ in range(FILTERS // 3):
        query = random_filter(random, rows)
        listed = await all_pages(database, query, 500)
        exported = [
            record.id async for page in queries.export_exceptions(database, query, READING) for record in page
        ]
        assert exported == [record.id for record in listed], query
        groups = await all_groups(database, query, random.choice([3, 500]))
        assert Counter({group.cause: group.exceptions for group in groups}) == Counter(
            record.cause for record in listed
        ), query
        stakes = [Decimal(group.position.stake) for group in groups]
        assert stakes == sorted(stakes, reverse=True)
        sums = Counter[tuple[str, str]]()
        for record in listed:
            if record.amount is not None and record.state.currency is not None:
                sums[record.cause, record.state.currency] += record.amount
        grouped = {
            (group.cause, currency): amount for group in groups for currency, amount in group.sums.items()
        }
        assert {key: amount for key, amount in grouped.items() if amount} == {
            key: amount for key, amount in sums.items() if amount
        }


async def all_groups(database: Database, query: ExceptionFilter, rows_max: int) -> list[GroupRecord]:
    groups: list[GroupRecord] = []
    after: GroupPosition | None = None
    while True:
        page = await queries.list_groups(database, query, READING, after=after, rows_max=rows_max)
        groups += [group for group in page.rows if isinstance(group, GroupRecord)]
        if not page.rows:
            assert (page.groups, page.exceptions) == (len(groups), sum(group.exceptions for group in groups))
            return groups
        after = groups[-1].position


async def test_group_names_its_first_bad_and_last_good_run(
    own: Stack, database: Database, rows: list[Row]
) -> None:
    runs = [new_id() for _ in range(4)]
    statement = """
        INSERT INTO reconciler.run (
            id, trigger, requested_by, requested_at, started_at, status, scope, is_dry_run
        ) VALUES ($1, 'api', 'ana', $2, $2, 'completed', $3, false)
    """
    for number, (run, scope) in enumerate(zip(runs, ["all", "all", "booking:x", "all"], strict=True)):
        await own.database("reconciler").execute(statement, run, NOW + timedelta(hours=number), scope)
    random = Random(SEED)
    bad = [
        {
            **random_exception(random),
            "type": "not_charged",
            "drift_class": None,
            "line": "of the runs",
            "rate_card": None,
            "currency": "USD",
            "amount": -500,
            "waiting": None,
            "superseded": False,
            "first_seen_at": NOW + timedelta(hours=3 + number),
        }
        for number in range(2)
    ]
    await insert(own.database("reconciler"), bad)
    rows += bad  # the other tests compare with all exceptions
    for exception, run in zip(bad, [runs[3], new_id()], strict=True):
        await own.database("reconciler").execute(
            "INSERT INTO reconciler.exception_event (exception_id, kind, revision, actor, reason, run_id,"
            " explanation) VALUES ($1, 'opened', 1, 'reconciler', 'r', $2, '{}')",
            exception["id"],
            run,
        )
    groups = await all_groups(database, ExceptionFilter(type="not_charged"), 500)
    [group] = [group for group in groups if group.line == "of the runs"]
    assert (group.exceptions, group.sums, group.sign) == (2, {"USD": -1000}, -1)
    assert group.first_bad_run is not None
    assert group.first_bad_run.id == runs[3]
    assert group.last_good_run is not None
    assert group.last_good_run.id == runs[1]


async def test_exceptions_of_a_cause_share_all_of_it(database: Database, rows: list[Row]) -> None:
    def cause(row: Row) -> tuple[Any, ...]:
        sign = None if row["amount"] is None else (row["amount"] > 0) - (row["amount"] < 0)
        return row["type"], row["drift_class"], row["line"], row["rate_card"], row["engine"], sign

    expected = {row["id"]: cause(row) for row in rows if matches(row, ExceptionFilter())}
    listed = await all_pages(database, ExceptionFilter(), 500)
    keys = {record.id: record.cause for record in listed if record.id in expected}
    pairs = {(keys[each], expected[each]) for each in expected}
    assert len(pairs) == len({key for key, _ in pairs}) == len({cause for _, cause in pairs}) > 50
    of_one = await all_pages(database, ExceptionFilter(cause=listed[0].cause), 500)
    assert {record.id for record in of_one} == {each.id for each in listed if each.cause == listed[0].cause}
