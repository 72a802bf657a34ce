"""`audit export` ends when nobody reads it."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from audit.adapters.event_log_queries import EntryRecord
from audit.commands import exporting
from audit.domain.filters import EntryFilter
from chassis.process.output import OutputError


class Unwritable:
    def write(self, _lines: bytes) -> None:
        raise OutputError("standard output cannot be written: Broken pipe")


class Pool:
    """Stops, as asyncpg's does, when every connection was given back."""

    def __init__(self) -> None:
        self.given_back = asyncio.Event()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        async with asyncio.timeout(2):
            await self.given_back.wait()


async def test_export_that_cannot_be_written_gives_its_connection_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool()

    async def pages() -> AsyncGenerator[list[EntryRecord]]:
        try:
            yield []
        finally:
            pool.given_back.set()

    async def export_entries(*_: object) -> Any:
        return SimpleNamespace(pages=pages(), complete_until=None)

    monkeypatch.setattr(exporting, "export_entries", export_entries)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=Unwritable()))
    database: Any = pool
    with pytest.raises(OutputError):
        await exporting._export(database, EntryFilter())
