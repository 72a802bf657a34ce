"""Bulk operations whose processes die: F6B."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from chassis import clock
from chassis.postgres import Database
from faults.plan import SHORT
from faults.scene import Scene
from harness import Running, Stack, eventually, start_services
from integration.reconciler.open_exceptions import insert_open
from integration.reconciler.stored_exceptions import TARGETS
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.operations import PlannedStep, Selection, StepArguments
from reconciler.handlers.operation_queries import get_operation
from reconciler.handlers.operations import OperationRules, revert_operation, start_operation

EXCEPTIONS, KILLS = 5_000, 10
EXCEPTIONS_SHORT, KILLS_SHORT = 600, 2
END_SECONDS_MAX = 120.0
RULES = OperationRules(None, TARGETS)

_OPERATIONS = """
SELECT
    id::text, status, planned_count, stepped, refused, reverted, not_reverted,
    planned_count - stepped - unchanged - refused - reverted - not_reverted AS pending
FROM exception_operation
"""
_ITEMS = """
SELECT operation_id::text AS id, outcome, count(*) FROM exception_operation_item GROUP BY 1, 2
"""
_STEPS = """
SELECT operation_id::text AS id, exception_id::text AS exception, kind = 'reverted' AS is_reverting, version
FROM exception_event ORDER BY exception_id, version
"""
_PUBLISHED = ("reconciliation.exception-resolved", "reconciliation.exception-changed")


async def killed_half_way(scene: Scene) -> None:
    """F6B: every exception of two operations has one outcome, and every step was taken and published once."""
    is_short = scene.size == SHORT
    count, kills = (EXCEPTIONS_SHORT, KILLS_SHORT) if is_short else (EXCEPTIONS, KILLS)
    rng = random.Random(scene.seed)
    # A stack of its own: its exceptions belong to no booking, which every other row would miss.
    async with start_services(scene.infra, "reconciler") as stack:
        await stack.start("reconciler")
        database = Database(stack.database("reconciler").dsn("reconciler"), application_name="faults")
        await database.start()
        try:
            booking = clock.new_id()
            await insert_open(stack, count, booking=booking)
            selection = Selection(query=ExceptionFilter(booking_id=booking))
            started = [await _start(database, by, selection, count) for by in ("ana", "kim")]
            await _kill_along(stack, rng, count, kills, "stepped + refused")
            await _wait(database, started, "applied")
            for operation_id in started:
                async with database.transaction() as connection:
                    await revert_operation(connection, operation_id, by="bo", reason="wrong")
            await _kill_along(stack, rng, count, kills, "reverted + not_reverted")
            await _wait(database, started, "reverted")
        finally:
            await database.stop()
        problems = list(await _problems(stack, count))
    scene.notes |= {"exceptions": count, "operations": len(started), "kills": 2 * kills}
    assert not problems, "\n".join(problems[:20])


async def _start(database: Database, by: str, selection: Selection, count: int) -> str:
    written_off = PlannedStep("resolve", StepArguments(resolution="written_off"), "old card", by)
    async with database.transaction() as connection:
        return await start_operation(connection, written_off, selection, RULES, expected_count=count)


async def _kill_along(stack: Stack, rng: random.Random, count: int, kills: int, done: str) -> None:
    """Kill one replica after the other while the operations go on, and start it again."""
    for number in range(kills):
        reached = count * (2 * number + 1) // (2 * kills) + rng.randrange(count // (2 * kills))
        victim: Running = rng.choice(stack.services("reconciler"))

        async def has_come_so_far(at: int = reached) -> bool:
            statement = f"SELECT sum({done}) >= $1 OR bool_and(status IN ('applied', 'reverted'))"
            return await stack.database("reconciler").fetchval(f"{statement} FROM exception_operation", at)

        await eventually(has_come_so_far, seconds=END_SECONDS_MAX, what=f"{reached} exceptions are done")
        await victim.kill()
        await victim.start()


async def _wait(database: Database, operations: Sequence[str], status: str) -> None:
    async def ended() -> bool:
        return all([(await get_operation(database, each)).status == status for each in operations])

    await eventually(ended, seconds=END_SECONDS_MAX, what=f"both operations are {status}")


async def _problems(stack: Stack, count: int) -> Iterator[str]:
    database = stack.database("reconciler")
    operations = {row["id"]: dict(row) for row in await database.fetch(_OPERATIONS)}
    items = {(row["id"], row["outcome"]): row["count"] for row in await database.fetch(_ITEMS)}
    steps = [dict(row) for row in await database.fetch(_STEPS)]
    is_open = await database.fetchval("SELECT count(*) FROM exception WHERE status = 'open'")

    async def published() -> int | None:
        records = await stack.topic("reconciliation.events.v1").records()
        ids = {record.header("ce_id") for record in records if record.header("ce_type") in _PUBLISHED}
        return len(ids) if len(ids) >= len(steps) else None

    events = await eventually(published, seconds=END_SECONDS_MAX, what="every step is published")
    return differences(operations, items, steps, exceptions=count, reopened=is_open, events=events or 0)


def differences(
    operations: dict[str, dict[str, Any]],
    items: dict[tuple[str, str], int],
    steps: Sequence[dict[str, Any]],
    *,
    exceptions: int,
    reopened: int,
    events: int,
) -> Iterator[str]:
    """Yield a line for each promise that was not kept.

    Args:
        operations: their rows, by id.
        items: number of items by operation and outcome.
        steps: entries of the history, by exception and version.
        exceptions: that both operations selected; the one that comes first resolves each.
        reopened: exceptions that are open in the end.
        events: steps published, without copies.
    """
    for name, operation in operations.items():
        if operation["pending"] or operation["planned_count"] != exceptions:
            yield f"operation {name}: not every exception is accounted for: {operation}"
        for outcome in ("stepped", "refused", "reverted", "not_reverted"):
            if operation[outcome] != items.get((name, outcome), 0):
                yield f"operation {name}: counts {operation[outcome]} {outcome}, its items say otherwise"
    taken = Counter((step["exception"], step["is_reverting"]) for step in steps)
    yield from (f"{key}: {number} steps" for key, number in taken.items() if number != 1)
    if len(taken) != 2 * exceptions:
        yield f"{len(taken)} steps of {exceptions} exceptions, each to be resolved and taken back once"
    reverted = sum(operation["reverted"] for operation in operations.values())
    if (reverted, reopened) != (exceptions, exceptions):
        yield f"{reverted} steps taken back, {reopened} exceptions open, of {exceptions}"
    if events != len(steps):
        yield f"{events} events of {len(steps)} steps"
