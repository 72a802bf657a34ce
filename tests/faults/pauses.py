"""Processes that stand still and go on: F4, F17."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from faults.load import Load
from faults.plan import SHORT
from faults.scene import Scene, stretched
from harness import Running, eventually

STOPPED_SECONDS = 60.0
STOPPED_SHORT_SECONDS = 10.0
EXPELLED_SECONDS = 330.0
"""Beyond the poll interval; the session is over long before."""

EXPELLED_SHORT_SECONDS = 14.0
"""Beyond the session."""

READY_SECONDS_MAX = 60.0
UNSENT_SECONDS_MAX = 6.0
"""Taken over within 5 s (BK-11), and a second to send what waited."""

_SAMPLE_SECONDS = 0.2
_OLDEST = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM outbox"


async def relay(scene: Scene) -> None:
    """F4: a relay stands still, another takes over, the first goes on: no older version is applied."""
    api = await scene.booking("api", "consumers")
    sleeper = await scene.booking("relay")
    async with scene.load(booking=api) as load:
        await load.reached(0.3)
        await scene.booking("relay")
        async with standing_still(sleeper):
            seconds = STOPPED_SHORT_SECONDS if scene.size == SHORT else STOPPED_SECONDS
            oldest = await _oldest_unsent_seconds(scene, load.elapsed + seconds, load)
    assert sleeper.running, "the stopped relay did not live on"
    scene.notes["oldest unsent while it stood still, seconds"] = round(oldest, 1)
    assert oldest <= stretched(UNSENT_SECONDS_MAX), f"a row waited {oldest:.1f} s: nobody took over in time"


async def consumer(scene: Scene) -> None:
    """F17: a consumer stands still with work in hand until its group has given its partitions to another."""
    api = await scene.booking("api", "relay")
    sleeper = await scene.booking("consumers")
    async with scene.load(booking=api) as load:
        await load.reached(0.3)
        await scene.booking("consumers")
        async with standing_still(sleeper):
            short = scene.size == SHORT
            await asyncio.sleep(EXPELLED_SHORT_SECONDS if short else EXPELLED_SECONDS)
    assert sleeper.running, "the stopped consumer did not live on"
    await eventually(lambda: scene.stack.ready("booking"), seconds=READY_SECONDS_MAX, what="booking ready")


async def _oldest_unsent_seconds(scene: Scene, until: float, load: Load) -> float:
    """The longest that any row was seen to wait."""
    oldest = 0.0
    while load.elapsed < until:
        oldest = max(oldest, await scene.stack.database("booking").fetchval(_OLDEST))
        await asyncio.sleep(_SAMPLE_SECONDS)
    return oldest


@asynccontextmanager
async def standing_still(running: Running) -> AsyncGenerator[None]:
    """SIGSTOP before the block, SIGCONT after it."""
    os.kill(running.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(running.pid, signal.SIGCONT)
