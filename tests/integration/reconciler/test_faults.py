"""Two replicas, and a process killed in the middle of a run (REC-1, REC-11, F6)."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, Stack, eventually, start_services
from integration.reconciler.reconciler_bookings import (
    completed_run,
    corrupt,
    ended_run,
    events_about,
    exceptions_of,
    insert_bookings,
    request_run,
    types,
)
from reconciler.adapters import runs
from reconciler.domain.counts import count_page
from reconciler.domain.runs import RequestedRun

BOOKINGS = 6_000
"""More than one page."""

HOURLY = "0 * * * *"


@pytest.fixture(scope="module")
async def shared(infra: Infra) -> AsyncGenerator[Stack]:
    """Start a stack for tests that leave its process and its other runs alone."""
    async with start_services(infra, "reconciler") as stack:
        yield stack


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def test_run_killed_between_pages_is_resumed_and_doubles_nothing(
    own: Stack, http: httpx.AsyncClient
) -> None:
    ids = await insert_bookings(own, BOOKINGS)
    for booking in (ids[0], ids[-1]):
        await corrupt(own, booking, "total = 15000")
    first = await completed_run(own, http)
    database = own.database("reconciler")
    async with database.connect() as blocker, blocker.transaction():
        # The second page cannot be committed while somebody holds its exception.
        await blocker.execute("SELECT FROM exception WHERE booking_id = $1 FOR UPDATE", ids[-1])
        run = await request_run(own, http)

        async def in_the_second_page() -> bool:
            assert await database.fetchval("SELECT scanned > 0 FROM run WHERE id = $1", run["id"])
            return await database.fetchval(
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
                " AND usename = 'reconciler' AND wait_event_type = 'Lock'"
            )

        await eventually(in_the_second_page, seconds=30)
        [executor] = own.services("reconciler")
        await executor.kill()
        # A machine that is lost takes its sessions with it; of a killed process alone, one that waits for a
        # lock would still finish its statement.
        await blocker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'reconciler'"
        )
        assert await database.fetchval("SELECT status FROM run WHERE id = $1", run["id"]) == "running"
    await own.start("reconciler")
    ended = await ended_run(own, http, run["id"])
    assert ended["status"] == "completed"
    counts = ("scanned", "clean", "drifted", "skipped", "errored", "sums")
    assert {name: ended[name] for name in counts} == {name: first[name] for name in counts}
    assert ended["scanned"] == BOOKINGS
    exceptions = await exceptions_of(own, http, ids)
    assert {key: [item["occurrences"] for item in items] for key, items in exceptions.items()} == {
        ids[0]: [2],
        ids[-1]: [2],
    }
    assert Counter(types(await events_about(own, run["id"])))["reconciliation.run-started"] == 1


async def test_run_whose_command_was_not_published_waits(shared: Stack, http: httpx.AsyncClient) -> None:
    run_id, moment = new_id(), datetime.now(UTC)  # noqa: TID251 - a row as a service would write it
    database = shared.database("reconciler")
    await database.execute(
        "INSERT INTO run (id, trigger, requested_by, requested_at) VALUES ($1, 'api', 'x', $2)",
        run_id,
        moment,
    )
    await completed_run(shared, http)
    assert await database.fetchval("SELECT status FROM run WHERE id = $1", run_id) == "requested"


async def test_run_that_has_not_begun_is_cancelled_at_once(shared: Stack, http: httpx.AsyncClient) -> None:
    run_id, moment = new_id(), datetime.now(UTC)  # noqa: TID251 - a row as a service would write it
    database = shared.database("reconciler")
    await database.execute(
        "INSERT INTO run (id, trigger, requested_by, requested_at) VALUES ($1, 'api', 'x', $2)",
        run_id,
        moment,
    )
    done = await shared.run("reconciler", "cancel", run_id, "--actor", "ana", "--json")
    assert done.exit_code == 0, done.stderr
    assert (json.loads(done.stdout)["status"], json.loads(done.stdout)["cancelled_by"]) == (
        "cancelled",
        "ana",
    )
    # Its command, which comes later, starts nothing.
    await database.execute("UPDATE run SET queued_at = $2 WHERE id = $1", run_id, moment)
    await completed_run(shared, http)
    assert (await ended_run(shared, http, run_id))["status"] == "cancelled"

    async def announced() -> bool:
        return types(await events_about(shared, run_id)) == ["reconciliation.run-cancelled"]

    assert await eventually(announced)


async def test_run_taken_up_too_often_is_marked_failed(shared: Stack, http: httpx.AsyncClient) -> None:
    run_id, moment = new_id(), datetime.now(UTC)  # noqa: TID251 - a row as a service would write it
    await shared.database("reconciler").execute(
        "INSERT INTO run (id, status, trigger, requested_by, requested_at, queued_at, attempts, error)"
        " VALUES ($1, 'running', 'api', 'x', $2, $2, 12, 'OSError: no way')",
        run_id,
        moment,
    )
    run = await ended_run(shared, http, run_id)
    assert run["status"] == "failed"
    assert "12 attempts" in run["error"]
    assert "no way" in run["error"]

    async def announced() -> bool:
        return types(await events_about(shared, run_id)) == ["reconciliation.run-failed"]

    assert await eventually(announced)
    await completed_run(shared, http)


async def test_view_out_of_reach_for_a_while_delays_the_run(shared: Stack, http: httpx.AsyncClient) -> None:
    [booking] = await insert_bookings(shared)
    await corrupt(shared, booking, "total = 15000")
    database = shared.database("booking")
    await database.execute("REVOKE SELECT ON booking.reconciliation_v1 FROM reconciler_booking_view")
    run = await request_run(shared, http)

    async def failing() -> str | None:
        return await shared.database("reconciler").fetchval("SELECT error FROM run WHERE id = $1", run["id"])

    assert "permission denied" in str(await eventually(failing))
    assert not await shared.ready("reconciler")
    await database.execute("GRANT SELECT ON booking.reconciliation_v1 TO reconciler_booking_view")
    assert (await ended_run(shared, http, run["id"]))["status"] == "completed"
    assert list(await exceptions_of(shared, http, [booking])) == [booking]


async def test_view_without_a_column_fails_the_run_at_once(shared: Stack, http: httpx.AsyncClient) -> None:
    await insert_bookings(shared)
    database = shared.database("booking")
    await database.execute("ALTER VIEW booking.reconciliation_v1 RENAME COLUMN kept_captured TO gone")
    run = await ended_run(shared, http, (await request_run(shared, http))["id"])
    assert run["status"] == "failed"
    assert 'column "kept_captured" does not exist' in run["error"]
    assert "run `booking migrate`" in run["error"]
    await database.execute("ALTER VIEW booking.reconciliation_v1 RENAME COLUMN gone TO kept_captured")
    await completed_run(shared, http)


async def test_two_replicas_fire_a_slot_once(infra: Infra, http: httpx.AsyncClient) -> None:
    async with start_services(infra, "reconciler", env={"RECONCILER_CRON": HOURLY}) as own:
        database = own.database("reconciler")
        # The scheduler writes its row soon after the service is ready.
        assert await eventually(lambda: database.fetchval("SELECT cron FROM schedule")) == HOURLY
        assert await database.fetchval("SELECT count(*) FROM run") == 0
        # As if the schedule had been in force for long, and the latest slot missed by everybody.
        await database.execute("UPDATE schedule SET in_force_since = now() - interval '1 day'")
        for running in own.services("reconciler"):
            await running.stop()
        for _ in range(3):
            await own.start("reconciler", ready=False)
        await eventually(lambda: own.ready("reconciler"), seconds=60)

        async def scheduled() -> str | None:
            return await database.fetchval("SELECT id::text FROM run WHERE trigger = 'schedule'")

        run_id = await eventually(scheduled)
        assert run_id is not None
        run = await ended_run(own, http, run_id)
        assert (run["status"], run["requested_by"]) == ("completed", "schedule")
        slot = datetime.fromisoformat(run["slot"])
        assert (slot.minute, slot.second) == (0, 0)
        assert timedelta(0) <= datetime.fromisoformat(run["requested_at"]) - slot < timedelta(hours=1)
        assert await database.fetchval("SELECT count(*) FROM run") == 1
        commands = await own.topic("reconciliation.commands.v1").records()
        assert len(commands) == 1


async def test_two_replicas_work_off_runs_one_after_another(own: Stack, http: httpx.AsyncClient) -> None:
    ids = await insert_bookings(own, 3)
    for booking in ids:
        await corrupt(own, booking, "total = 15000")
    await own.start("reconciler")

    async def executors() -> list[str]:
        urls = [f"{running.url}/health/ready" for running in own.services("reconciler")]
        reports = [(await http.get(url)).json() for url in urls]
        return sorted(report["checks"]["executor"]["detail"] for report in reports)

    assert await executors() == ["owner", "standby"]
    requested = [await request_run(own, http) for _ in range(4)]
    for run in requested:
        assert (await ended_run(own, http, run["id"]))["scanned"] == 3
    exceptions = await exceptions_of(own, http, ids)
    assert {key: [item["occurrences"] for item in items] for key, items in exceptions.items()} == {
        booking: [4] for booking in ids
    }
    overlaps = await own.database("reconciler").fetchval(
        "SELECT count(*) FROM run AS a JOIN run AS b ON a.id < b.id"
        " AND a.started_at < b.finished_at AND b.started_at < a.finished_at"
    )
    assert overlaps == 0


async def test_page_is_refused_where_the_cursor_is_elsewhere(own: Stack, http: httpx.AsyncClient) -> None:
    run_id, here, elsewhere, moment = new_id(), new_id(), new_id(), datetime.now(UTC)  # noqa: TID251 - as above
    none = count_page([], [])
    passed: dict[str, Any] = {"passed": 0, "now": moment}
    [executor] = own.services("reconciler")
    await executor.stop()
    async with own.database("reconciler").connect("reconciler") as connection:
        await runs.queue(connection, RequestedRun(run_id, "api", None, "x", moment), queued_at=moment)
        await runs.claim(connection, now=moment)
        # As a run that began before its pages were recorded: nothing is compared at its end.
        await connection.execute("UPDATE run SET pages = NULL WHERE id = $1", run_id)
        await runs.advance(connection, run_id, expected=None, reached=here, page=none, **passed)
        for expected in (None, elsewhere):
            with pytest.raises(runs.RunNotOursError):
                await runs.advance(
                    connection, run_id, expected=expected, reached=elsewhere, page=none, **passed
                )
        await runs.advance(connection, run_id, expected=here, reached=elsewhere, page=none, **passed)
    await executor.start()
    assert (await ended_run(own, http, run_id))["status"] == "completed"


async def test_command_line_says_when_no_service_takes_the_command(own: Stack) -> None:
    for running in own.services("reconciler"):
        await running.stop()
    done = await own.run("reconciler", "run", "--wait")
    assert done.exit_code == 2
    *waiting, error = done.stderr.splitlines()
    assert "is `reconciler serve` running?" in error
    assert set(waiting) <= {"requested, no service has taken it yet"}
