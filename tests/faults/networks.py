"""Databases that answer slowly, too late or with a refusal: F9, F10, F20."""

import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from faults.memory import check_memory
from faults.proxy import Proxy, address, through
from faults.scene import Scene, fault_points
from plumbline.dsn import service_variable

ANSWERS_LOST_SHARE = 0.05
FAILURES_SHARE = 0.1
SLOW_SECONDS = 0.2
SERVICES = ("booking", "audit")

_TRIES_MAX = 10
"""Of one operation by its sender: 2xx must come within bounded tries though one transaction in ten fails."""


async def answer_to_commit_lost(scene: Scene) -> None:
    """F9: some connections are cut after COMMIT was carried out and before its answer."""
    dice = random.Random(scene.seed)
    async with _behind_proxies(scene) as proxies:
        for proxy in proxies:
            proxy.lose_answer_to = lambda chunk: _commits(chunk) and dice.random() < ANSWERS_LOST_SHARE
        async with scene.load():
            pass
        await scene.settled()
        lost = [proxy.lost for proxy in proxies]
        scene.notes["answers lost"] = dict(zip(SERVICES, lost, strict=True))
        assert all(lost), "no answer was lost: the fault did not strike"


def _commits(chunk: bytes) -> bool:
    """Return whether a chunk ends a transaction, also as a single statement (`outbox_templates`)."""
    return b"COMMIT" in chunk or b'"recorded_at":"\x1a"' in chunk


async def transactions_fail(scene: Scene) -> None:
    """F10: serialization failures and deadlocks, by the database's own word, in a tenth of transactions."""
    half = FAILURES_SHARE / 2
    points = ",".join(f"before-database-commit:raise={state}@{half}" for state in ("40001", "40P01"))
    for name in SERVICES:
        await scene.stack.start(name, fault_points(points, str(scene.seed)))
    async with scene.load() as load:
        pass
    tries = max(Counter((line.op, line.id) for line in load.history.lines).values())
    scene.notes["most tries of one operation"] = tries
    assert tries <= _TRIES_MAX, f"an operation needed {tries} tries"


async def database_slow(scene: Scene) -> None:
    """F20: every answer of the database takes 200 ms longer; memory stays bounded, the backlog drains."""
    async with _behind_proxies(scene) as proxies:
        async with scene.load() as load:
            await load.reached(0.1)
            for proxy in proxies:
                proxy.downward.latency_seconds = SLOW_SECONDS
            await load.reached(0.9)
            for proxy in proxies:
                proxy.downward.latency_seconds = 0.0
        await scene.settled()
        check_memory(scene)


@asynccontextmanager
async def _behind_proxies(scene: Scene) -> AsyncGenerator[list[Proxy]]:
    """Booking and audit, each with a proxy between it and its database; they end with the proxies."""
    dsns = {name: scene.stack.environment()[service_variable(name)] for name in SERVICES}
    async with (
        Proxy(address(dsns["booking"])).listening() as to_booking,
        Proxy(address(dsns["audit"])).listening() as to_audit,
    ):
        proxies = [to_booking, to_audit]
        for name, proxy in zip(SERVICES, proxies, strict=True):
            await scene.stack.start(name, {service_variable(name): through(dsns[name], proxy)})
        yield proxies
        for running in scene.stack.services("booking") + scene.stack.services("audit"):
            await running.stop()
