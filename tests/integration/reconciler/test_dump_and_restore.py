"""A dump restored elsewhere is the same queue with its guards, and runs and steps go on with it (F38)."""

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import httpx
import pytest

from harness import Infra, Stack, eventually, start_services
from harness.dumps import content, restored
from integration.reconciler.reconciler_bookings import (
    PRICE,
    completed_run,
    corrupt,
    events_about,
    exceptions_of,
    insert_bookings,
)

_CONTENT = {
    "exceptions": "SELECT * FROM exception ORDER BY id",
    "steps": "SELECT * FROM exception_event ORDER BY id",
    "runs": "SELECT * FROM run ORDER BY id",
}
_REFUSED = (
    "UPDATE exception_event SET actor = 'nobody'",
    "DELETE FROM exception_event",
    "TRUNCATE exception_event",
)


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def test_restored_queue_keeps_its_steps_and_is_worked_on(
    infra: Infra, own: Stack, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    booking, other = await insert_bookings(own, 2)
    await corrupt(own, booking, "total = $2", PRICE + 700)
    await completed_run(own, http)
    exception = (await exceptions_of(own, http, [booking]))[booking][0]["id"]
    await step(own, http, exception, "acknowledge")
    before = await content(own.database("reconciler"), "reconciler", _CONTENT)
    assert before["steps"]
    async with restored(infra, own.database("reconciler"), "reconciler", tmp_path / "dump") as copy:
        assert await content(copy, "reconciler", _CONTENT) == before
        for statement in _REFUSED:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await copy.execute(f"SET search_path = reconciler; {statement}")

        await own.services("reconciler")[0].stop()
        await own.start("reconciler", {"RECONCILER_POSTGRES_DSN": copy.dsn("reconciler")})
        await corrupt(own, other, "total = $2", PRICE + 900)
        await completed_run(own, http)
        found = await exceptions_of(own, http, [booking, other])
        assert [each["id"] for each in found[booking]] == [exception]
        assert found[booking][0]["status"] == "acknowledged"
        assert len(found[other]) == 1
        told = len(await events_about(own, booking))
        await step(own, http, exception, "comment", {"text": "goes on"})
        after = await content(copy, "reconciler", _CONTENT)
        assert before["steps"] == [row for row in after["steps"] if row in before["steps"]]

        async def is_told() -> bool:
            return len(await events_about(own, booking)) > told

        await eventually(is_told, seconds=20, what="the step was published")


async def step(own: Stack, http: httpx.AsyncClient, exception: str, name: str, body: object = None) -> None:
    response = await http.post(f"{own.url('reconciler')}/api/exceptions/{exception}/{name}", json=body)
    assert response.status_code == 200, response.text
