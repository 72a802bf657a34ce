"""The exception queue as people read it (REC-9a to REC-9d)."""

from collections import Counter
from collections.abc import AsyncGenerator
from random import Random
from typing import Any

import pytest

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
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.domain.clocks import Reading
from reconciler.domain.filter_members import parse_members
from reconciler.domain.filters import ExceptionFilter, Position
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


async def test_exceptions_of_a_cause_share_all_of_it(database: Database, rows: list[Row]) -> None:
    def cause(row: Row) -> tuple[Any, ...]:
        sign = None if row["amount"] is None else (row["amount"] > 0) - (row["amount"] < 0)
        return row["type"], row["drift_class"], row["line"], row["rate_card"], row["engine"], sign

    expected = {row["id"]: cause(row) for row in rows if matches(row, ExceptionFilter())}
    listed = await all_pages(database, ExceptionFilter(), 500)
    keys = {record.id: record.cause for record in listed}
    pairs = {(keys[each], expected[each]) for each in expected}
    assert len(pairs) == len({key for key, _ in pairs}) == len({cause for _, cause in pairs}) > 50
    of_one = await all_pages(database, ExceptionFilter(cause=listed[0].cause), 500)
    assert {record.id for record in of_one} == {each for each in keys if keys[each] == listed[0].cause}
