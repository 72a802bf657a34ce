"""Pages are read in order ahead of their commits, each with a number from before its reading."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import Passed, Slice, ViewRefusedError
from reconciler.domain.scopes import ALL
from reconciler.handlers import read_ahead
from reconciler.handlers.read_ahead import PageReader
from unit.reconciler.stored_bookings import RULES, booking

PAGES = {None: "b", "b": "d", "d": "f", "f": "h", "h": None}
REFUSED = "refused"


class NoDatabase:
    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[None]:
        yield None


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
        if after_booking_id == REFUSED:
            raise ViewRefusedError("no right to read")
        for _ in range(rows_max):
            take([booking()])
        return Passed(rows_max, rows_max, PAGES[after_booking_id])

    monkeypatch.setattr(exceptions, "next_evidence", next_evidence)
    monkeypatch.setattr(read_ahead, "read_page", read_page)
    return happened


def reader(after: str | None = None) -> PageReader:
    nothing: Any = NoDatabase()
    return PageReader(nothing, nothing, ALL, ZoneInfo("UTC"), RULES, rows_max=2, after=after)


async def settle() -> None:
    """Let all tasks go on until each waits for somebody else."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_each_page_is_read_once_with_a_number_from_before(log: list[str]) -> None:
    pages = reader()
    read: list[tuple[int, str | None]] = []
    while not read or read[-1][1] is not None:
        page = await pages.read()
        assert len(page.results.evaluations) == 2
        read.append((page.evidence, page.passed.last_booking_id))
    await pages.close()
    assert read == [(1, "b"), (2, "d"), (3, "f"), (4, "h"), (5, None)]
    assert log == [step for after in PAGES for step in ("number", f"read after {after}")]


async def test_two_pages_are_read_ahead_and_no_more(log: list[str]) -> None:
    pages = reader("b")
    await pages.read()
    await settle()
    assert log[1::2] == ["read after b", "read after d", "read after f"]
    await pages.close()


async def test_page_that_cannot_be_read_is_told_in_its_turn(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PAGES, "d", REFUSED)
    pages = reader("d")
    page = await pages.read()
    assert page.passed.last_booking_id == REFUSED
    await settle()
    with pytest.raises(ViewRefusedError):
        await pages.read()
    await pages.close()
    assert log[1::2] == ["read after d", f"read after {REFUSED}"]
