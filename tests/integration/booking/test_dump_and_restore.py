"""A dump restored elsewhere keeps histories, states and their guards, and the service runs on it (F38)."""

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import httpx
import pytest

from harness import Infra, Stack, start_services
from harness.dumps import content, restored
from integration.booking.booking_calls import BookingApi

_CONTENT = {
    "history": "SELECT * FROM status_transition ORDER BY transition_id",
    "states": "SELECT * FROM booking_revision ORDER BY revision_id",
    "bookings": "SELECT booking_id, status, version, transitions FROM booking ORDER BY booking_id",
}
_REFUSED = (
    "UPDATE status_transition SET changed_by = 'nobody'",
    "DELETE FROM booking_revision",
    "UPDATE booking SET status = 'completed'",
    "DELETE FROM booking",
)


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


async def test_restored_database_keeps_history_and_guards(
    infra: Infra, own: Stack, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    api = BookingApi(own, http)
    booking = await api.brought_to("confirmed", "in_progress")
    source = own.database("booking")
    before = await content(source, "booking", _CONTENT)
    async with restored(infra, source, "booking", tmp_path / "booking.dump") as copy:
        after = await content(copy, "booking", _CONTENT)
        for part, rows in before.items():
            assert [row for row in after[part] if row not in rows] == [], part
            assert len(after[part]) == len(rows), part
        for statement in _REFUSED:
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
                await copy.execute(statement)

        service = await own.start("booking", {"BOOKING_POSTGRES_DSN": copy.dsn("booking")})
        changed = await api.call("PATCH", f"/{booking['id']}", {"status": "completed"}, url=service.url)
        assert changed.status_code == 200, changed.text
        history = "SELECT count(*) FROM status_transition WHERE booking_id = $1"
        assert await copy.fetchval(history, booking["id"]) == 4
