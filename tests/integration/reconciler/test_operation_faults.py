"""Bulk operations over HTTP, and a process killed in the middle of one (REC-9b)."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, Stack, eventually, start_services
from integration.reconciler.open_exceptions import insert_open
from integration.reconciler.reconciler_bookings import events_about, types

FINISHED = "reconciliation.operation-finished"
PATH = "/api/exception-operations"
BATCH = 200


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def post(own: Stack, http: httpx.AsyncClient, path: str, body: Any, **headers: str) -> httpx.Response:
    return await http.post(f"{own.url('reconciler')}{PATH}{path}", json=body, headers=headers)


async def ended(own: Stack, http: httpx.AsyncClient, operation_id: str, status: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        answer = (await http.get(f"{own.url('reconciler')}{PATH}/{operation_id}")).json()
        return answer if answer["status"] == status else None

    operation = await eventually(there, seconds=30, what=f"operation {operation_id} is {status}")
    assert operation is not None
    return operation


@asynccontextmanager
async def killed_in_the_second_batch(own: Stack, exception: str, done: str) -> AsyncGenerator[None]:
    """Start an operation in the block; the service is killed when it waits for the held exception."""
    database = own.database("reconciler")
    async with database.connect() as blocker, blocker.transaction():
        await blocker.execute("SELECT FROM exception WHERE id = $1 FOR UPDATE", exception)
        yield

        async def waits() -> bool:
            return await database.fetchval(
                f"SELECT count(*) > 0 FROM pg_stat_activity, exception_operation WHERE {done} = $1"
                " AND datname = current_database() AND usename = 'reconciler' AND wait_event_type = 'Lock'",
                BATCH,
            )

        await eventually(waits, seconds=30)
        [service] = own.services("reconciler")
        await service.kill()
        # A machine that is lost takes its sessions with it.
        await blocker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'reconciler'"
        )
    await service.start()


async def test_operation_killed_half_way_goes_on_and_steps_nothing_twice(
    own: Stack, http: httpx.AsyncClient
) -> None:
    booking = new_id()
    ids = await insert_open(own, 3 * BATCH, booking=booking)
    body = {
        "filter": {"booking_id": booking},
        "action": "resolve",
        "arguments": {"resolution": "written_off"},
        "reason": "old card",
    }
    planned = await post(own, http, "", {**body, "dry_run": True})
    assert planned.status_code == 201, planned.text
    plan = planned.json()["plan"]
    path = f"/{planned.json()['id']}"
    assert planned.headers["location"] == PATH + path
    confirmation = {"expected_count": len(ids), "selection_token": plan["selection_token"]}
    async with killed_in_the_second_batch(own, ids[BATCH + 50], "stepped"):
        applied = await post(own, http, path + "/apply", confirmation)
        assert applied.status_code == 202, applied.text
    operation_id = planned.json()["id"]
    operation = await ended(own, http, operation_id, "applied")
    assert operation["outcomes"]["stepped"] == operation["progress"]["done"] == len(ids)
    assert (await post(own, http, path + "/apply", confirmation)).json()["status"] == "applied"

    async with killed_in_the_second_batch(own, ids[BATCH + 50], "reverted"):
        assert (await post(own, http, path + "/revert", {"reason": "wrong"})).status_code == 202
    operation = await ended(own, http, operation_id, "reverted")
    assert operation["outcomes"]["reverted"] == len(ids)

    steps = await own.database("reconciler").fetch(
        "SELECT exception_id, kind FROM exception_event WHERE operation_id = $1", operation_id
    )
    assert Counter(step["kind"] for step in steps) == {"resolved": len(ids), "reverted": len(ids)}
    assert len({tuple(step) for step in steps}) == 2 * len(ids)

    async def announced() -> bool:
        assert types(await events_about(own, operation_id)) == [FINISHED, FINISHED]
        about = {record.header("ce_id"): record for record in await events_about(own, booking)}
        assert {record.header("ce_correlationid") for record in about.values()} <= {operation_id}
        return Counter(types(list(about.values()))) == {
            "reconciliation.exception-resolved": len(ids),
            "reconciliation.exception-changed": len(ids),
        }

    assert await eventually(announced, seconds=30)
    page = (
        await http.get(f"{own.url('reconciler')}{PATH}{path}/items", params={"outcome": "reverted"})
    ).json()
    assert [item["exception_id"] for item in page["items"]] == ids[:50]
    assert page["items"][0]["amount"] == {"amount": -700, "currency": "USD"}


async def test_refusals_name_the_member(own: Stack, http: httpx.AsyncClient) -> None:
    [exception] = await insert_open(own, 1, booking=new_id())
    assign = {"ids": [exception], "action": "assign", "arguments": {"assignee": "ana"}, "dry_run": True}
    bad: list[tuple[dict[str, Any], int, str]] = [
        ({"filter": {}}, 400, "filter: give either"),
        ({"arguments": None}, 400, "arguments.assignee: missing"),
        ({"arguments": {"assignee": "ana", "up_to": 1}}, 400, "arguments.up_to: not an argument of assign"),
        ({"action": "resolve", "arguments": {"resolution": "fixed"}}, 400, "reason: missing"),
        ({"action": "suppress", "arguments": None, "reason": "r"}, 400, "arguments: say until when"),
        ({"action": "comment", "arguments": None}, 400, "arguments.text: missing"),
        ({"dry_run": False}, 400, "expected_count: missing"),
        ({"dry_run": False, "expected_count": 2}, 409, "1 selected now"),
        ({"ids": None, "filter": {"statsu": "open"}}, 400, "filter.statsu: unknown member"),
        ({"ids": [new_id()]}, 404, "there is no exception"),
    ]
    for change, status, detail in bad:
        answer = await post(own, http, "", {**assign, **change})
        assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
    unknown = await post(own, http, f"/{new_id()}/revert", {"reason": "r"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:plumbline:problem:operation-not-found")
    changed = await post(own, http, "", {**assign, "dry_run": False, "expected_count": 2})
    assert (changed.json()["type"], changed.json()["count"]) == ("urn:plumbline:problem:count-changed", 1)
    plan = (await post(own, http, "", assign)).json()
    await own.database("reconciler").execute(
        "UPDATE exception_operation SET token_expires_at = now() WHERE id = $1", plan["id"]
    )
    confirmation = {"expected_count": 1, "selection_token": plan["plan"]["selection_token"]}
    late = await post(own, http, f"/{plan['id']}/apply", confirmation)
    assert (late.status_code, late.json()["type"]) == (410, "urn:plumbline:problem:selection-token-expired")
    metrics = (await http.get(f"{own.url('reconciler')}/metrics")).text
    assert 'reconciler_operations_ended_total{status="failed"} 0.0' in metrics
    assert 'reconciler_operation_items_total{outcome="not_reverted"} 0.0' in metrics
    key = {"Idempotency-Key": new_id()}
    once = {**assign, "dry_run": False, "expected_count": 1}
    first, again = [await post(own, http, "", once, **key) for _ in range(2)]
    assert first.json() == again.json()
    assert (first.status_code, first.json()["plan"]) == (201, None)
    path = f"/{first.json()['id']}"
    await ended(own, http, first.json()["id"], "applied")
    shown = await own.run("reconciler", "operations", "show", path[1:], "--outcome", "stepped")
    assert shown.exit_code == 0, shown.stderr
    assert exception in shown.stdout
    assert path[1:] in (await own.run("reconciler", "operations", "--status", "applied")).stdout
