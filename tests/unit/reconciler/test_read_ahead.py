"""The next page is read and evaluated while a page is committed, with a number from before its reading."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import Passed, Slice
from reconciler.domain.scopes import ALL
from reconciler.handlers import read_ahead
from reconciler.handlers.read_ahead import PageReader
from unit.reconciler.stored_bookings import RULES, booking

PAGES = {None: "b", "b": "d", "d": None}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what happens, in order: numbers taken, and pages read."""
    happened: list[str] = []

    async def next_evidence(_connection: Any) -> int:
        happened.append("number")
        return happened.count("number")

    async def read_page(
        *_arguments: Any, after_booking_id: str | None, rows_max: int, take: Callable[[Slice], None]
    ) -> Passed:
        happened.append(f"read after {after_booking_id}")
        for _ in range(rows_max):
            take([booking()])
        return Passed(rows_max, rows_max, PAGES[after_booking_id])

    monkeypatch.setattr(exceptions, "next_evidence", next_evidence)
    monkeypatch.setattr(read_ahead, "read_page", read_page)
    return happened


def reader() -> PageReader:
    nothing: Any = None
    return PageReader(nothing, ALL, ZoneInfo("UTC"), RULES, rows_max=2)


async def test_each_page_is_read_once_with_a_number_from_before(log: list[str]) -> None:
    pages: Any = reader()
    after: str | None = None
    numbers: list[int] = []
    while True:
        page = await pages.read(None, after)
        numbers.append(page.evidence)
        assert len(page.results.evaluations) == 2
        if page.passed.last_booking_id is None:
            break
        after = page.passed.last_booking_id
    assert numbers == [1, 2, 3]
    assert log == ["number", "read after None", "number", "read after b", "number", "read after d"]


async def test_page_of_another_place_is_not_taken_for_the_wanted_one(log: list[str]) -> None:
    pages: Any = reader()
    await pages.read(None, None)
    page = await pages.read(None, "d")
    assert (page.evidence, page.passed.last_booking_id) == (3, None)
    await pages.close()
    assert log[-1] == "read after d"
