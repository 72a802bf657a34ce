"""One process seals; another takes over within five seconds, without a gap and without a fork."""

import os
import signal
import time
from collections.abc import AsyncGenerator, Callable

import pytest

from faults.scene import stretched
from harness import Infra, Running, Stack, eventually, start_services
from integration.audit.sealed_log import is_sealed, read_log, readiness, root_of
from integration.audit.test_sealing import INSERT, row

TAKEOVER_SECONDS_MAX = 5.0


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit", "audit") as stack:
        yield stack


async def detail(running: Running) -> str:
    return str((await readiness(running.url))["sealer"]["detail"])


async def leader(processes: list[Running]) -> Running:
    async def one() -> Running | None:
        leading = [each for each in processes if "leads" in await detail(each)]
        return leading[0] if len(leading) == 1 else None

    return await eventually(one, seconds=20, what="a leader")


KILL: Callable[[Running], None] = lambda running: os.kill(running.pid, signal.SIGKILL)  # noqa: E731 - a table
STOP: Callable[[Running], None] = lambda running: os.kill(running.pid, signal.SIGSTOP)  # noqa: E731 - a table


@pytest.mark.parametrize("strike", [KILL, STOP], ids=["killed", "stands still"])
async def test_another_process_takes_over_within_five_seconds(
    own: Stack, strike: Callable[[Running], None]
) -> None:
    database, processes = own.database("audit"), own.services("audit")
    first = await leader(processes)
    [second] = [each for each in processes if each is not first]
    assert "stands by" in await detail(second)
    for _ in range(3):
        await database.fetchval(INSERT, *row())
    strike(first)
    began = time.monotonic()
    await database.fetchval(INSERT, *row())
    try:
        await leader([second])
        await eventually(lambda: is_sealed(own), seconds=20, what="all sealed")
        took = time.monotonic() - began
    finally:
        if strike is STOP:
            os.kill(first.pid, signal.SIGCONT)
    assert took <= stretched(TAKEOVER_SECONDS_MAX + 1)  # one second until the next round
    for _ in range(3):
        await database.fetchval(INSERT, *row())
    await eventually(lambda: is_sealed(own), seconds=20, what="all sealed")
    log = await read_log(own)
    assert (len(set(log.entry_ids)), log.size, log.root) == (7, 7, root_of(log.sealed))
    if strike is STOP:
        await eventually(lambda: stands_by(first), seconds=20)


async def stands_by(running: Running) -> bool:
    return "stands by" in await detail(running)
