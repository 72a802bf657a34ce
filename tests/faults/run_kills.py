"""Reconciliation runs under kill -9, and ten at once: F6 and F32."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from faults.plan import SHORT
from faults.scene import Scene
from faults.stored_money import populate
from harness import Running, Stack, eventually, start_services
from harness.stack import http_client

BOOKINGS, BOOKINGS_SHORT = 60_000, 6_000
KILLS, KILLS_SHORT = 30, 2
RUNS = 10
AT_ONCE = 10
WRONG = 40
REPLICAS = 2
PAUSE_SECONDS_MAX = 2.0
SETTLE_SECONDS_MAX = 600.0

_WRONG = "UPDATE booking.booking SET total = total + 500 WHERE booking_id = ANY($1::uuid[])"
_RUNS = "SELECT id::text, status, scanned, clean, drifted, skipped, errored, error FROM run"
_EXCEPTIONS = "SELECT booking_id, status, occurrences, revision FROM exception"
_EVENTS = ("reconciliation.exception-opened", "reconciliation.run-started", "reconciliation.run-completed")


@dataclass(frozen=True, slots=True)
class Ground:
    """Two replicas of the reconciler, and bookings of which some are wrong."""

    stack: Stack
    replicas: Sequence[Running]
    bookings: int
    wrong: Sequence[str]


async def killed_mid_run(scene: Scene) -> None:
    """F6: replicas die at random points of runs; each run ends, and nothing is opened twice."""
    is_short = scene.size == SHORT
    rng = random.Random(scene.seed)
    async with _ground(scene) as ground:
        runs = [await _request(ground.stack) for _ in range(1 if is_short else RUNS)]
        resumed = 0
        for _ in range(KILLS_SHORT if is_short else KILLS):
            if not is_short:
                await asyncio.sleep(rng.uniform(0, PAUSE_SECONDS_MAX))
            if not await _is_running(ground):
                # A run is going on whenever a replica dies.
                runs.append(await _request(ground.stack))
                await eventually(lambda: _is_running(ground), seconds=SETTLE_SECONDS_MAX)
            victim = rng.choice(ground.replicas)
            resumed += await _is_running(ground)
            await victim.kill()
            await victim.start()
        scene.notes["kills while a run was going on"] = resumed
        await _check(scene, ground, runs)
    assert resumed, "no replica died while a run was going on"


async def _is_running(ground: Ground) -> bool:
    return bool(await ground.stack.database("reconciler").fetch(_RUNS + " WHERE status = 'running'"))


async def at_once(scene: Scene) -> None:
    """F32: ten runs requested at once, before two replicas: nothing is opened twice."""
    async with _ground(scene) as ground:
        runs = await asyncio.gather(*(_request(ground.stack) for _ in range(AT_ONCE)))
        await _check(scene, ground, runs)


@asynccontextmanager
async def _ground(scene: Scene) -> AsyncGenerator[Ground]:
    # A stack of its own: its bookings have no events, which every other row would miss.
    async with start_services(scene.infra) as stack:
        count = BOOKINGS_SHORT if scene.size == SHORT else BOOKINGS
        population = await populate(stack.database("booking"), count, of_each_card=WRONG)
        wrong = population.ids["default"][:WRONG]
        async with stack.database("booking").without_triggers("booking.booking") as connection:
            await connection.execute(_WRONG, wrong)
        replicas = [await stack.start("reconciler") for _ in range(REPLICAS)]
        yield Ground(stack, replicas, count, wrong)


async def _request(stack: Stack) -> str:
    async with http_client() as http:
        response = await http.post(f"{stack.url('reconciler')}/api/reconciliation/runs")
        assert response.status_code == 202, response.text
        return response.json()["id"]


async def _check(scene: Scene, ground: Ground, requested: Sequence[str]) -> None:
    database = ground.stack.database("reconciler")

    async def all_ended() -> bool:
        ended = await database.fetchval("SELECT count(*) FROM run WHERE finished_at IS NOT NULL")
        return ended == len(requested) and await database.fetchval("SELECT count(*) FROM outbox") == 0

    await eventually(all_ended, seconds=SETTLE_SECONDS_MAX, what="every run has ended")
    runs = [dict(row) for row in await database.fetch(_RUNS)]
    assert {run["id"] for run in runs} == set(requested)
    problems = [problem for run in runs for problem in run_problems(run, ground.bookings, len(ground.wrong))]
    rows = await database.fetch(_EXCEPTIONS)
    seen = {row["booking_id"]: (row["status"], row["occurrences"], row["revision"]) for row in rows}
    expected = dict.fromkeys(ground.wrong, ("open", len(requested), 1))
    if len(rows) != len(seen) or seen != expected:
        problems.append(f"{len(rows)} exceptions, {sorted(seen.items() ^ expected.items())[:4]}")
    problems += await _event_problems(ground, requested)
    scene.notes |= {"runs": len(runs), "exceptions": len(rows)}
    assert not problems, "\n".join(problems[:20])


def run_problems(run: dict[str, Any], bookings: int, wrong: int) -> list[str]:
    """Return what a run must not be: not completed, or with an outcome that is not accounted for."""
    counts = {name: run[name] for name in ("scanned", "clean", "drifted", "skipped", "errored")}
    expected = {
        "scanned": bookings, "clean": bookings - wrong, "drifted": wrong, "skipped": 0, "errored": 0
    }  # fmt: skip
    problems = [] if run["status"] == "completed" else [f"run {run['id']} {run['status']}: {run['error']}"]
    return problems if counts == expected else [*problems, f"run {run['id']}: {counts}, expected {expected}"]


async def _event_problems(ground: Ground, requested: Sequence[str]) -> list[str]:
    """Return events that are missing, or that exist under two ids. Copies of one event are allowed."""
    records = await ground.stack.topic("reconciliation.events.v1").records()
    events = {record.header("ce_id"): record.header("ce_type") for record in records}
    counted = Counter(events.values())
    expected = (len(ground.wrong), len(requested), len(requested))
    return [
        f"{counted[kind]} events {kind}, expected {count}"
        for kind, count in zip(_EVENTS, expected, strict=True)
        if counted[kind] != count
    ]
