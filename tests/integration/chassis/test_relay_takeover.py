"""A relay that falls silent loses its shards to another within seconds, and nothing is lost (F3, F4)."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

from harness import eventually
from integration.chassis.ground import Ground, Sender, append, event, event_ids

TAKEN_OVER_SECONDS_MAX = 5.0
STARTED_SECONDS_MAX = 30.0
_IN_CHARGE = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND application_name = $1
"""


def in_charge(ground: Ground, name: str) -> Callable[[], Awaitable[bool]]:
    """Whether that relay owns shards."""

    async def owns() -> bool:
        return await ground.sql.fetchval(_IN_CHARGE, f"{ground.name}-{name}-dedicated") > 0

    return owns


@contextmanager
def relay_process(ground: Ground) -> Generator[Callable[[signal.Signals], None]]:
    """A relay of its own process; yields what sends it a signal."""
    process = ground.start_process("relay_process.py")
    try:
        yield process.send_signal
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def writing(ground: Ground, *, key: str = "k") -> AsyncGenerator[list[str]]:
    """Events are written all the while; yields the ids of those committed."""
    database = ground.database("writer")
    await database.start()
    written: list[str] = []
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            await append(database, [event(len(written), key=key)])
            written.append(f"{key}:{len(written)}")

    writer = asyncio.create_task(write())
    try:
        yield written
    finally:
        enough.set()
        await writer
        await database.stop()


async def _drained(ground: Ground) -> None:
    async def empty() -> bool:
        return await ground.outbox_rows() == 0

    await eventually(empty, seconds=20)


def first_copies(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


async def test_process_that_is_stopped_loses_its_shards_within_seconds(ground: Ground) -> None:
    with relay_process(ground) as send_signal:
        await eventually(in_charge(ground, "process"), seconds=STARTED_SECONDS_MAX)
        async with Sender(ground, "standby").running(), writing(ground) as written:
            await eventually(lambda: len(written) > 50)
            send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            await eventually(in_charge(ground, "standby"), seconds=TAKEN_OVER_SECONDS_MAX + 1)
            assert time.monotonic() - stopped < TAKEN_OVER_SECONDS_MAX
            before = len(written)
            await eventually(lambda: len(written) > before + 50)
            send_signal(signal.SIGCONT)
        async with Sender(ground, "last").running():
            await _drained(ground)
            ids = event_ids(await ground.topic.records())
    assert first_copies(ids) == written


async def test_process_that_is_killed_loses_nothing(ground: Ground) -> None:
    async with writing(ground) as written:
        for _ in range(3):
            with relay_process(ground) as send_signal:
                await eventually(in_charge(ground, "process"), seconds=STARTED_SECONDS_MAX)
                before = len(written)
                await eventually(lambda before=before: len(written) > before + 30)
                send_signal(signal.SIGKILL)
    async with Sender(ground).running():
        await _drained(ground)
        ids = event_ids(await ground.topic.records())
    assert first_copies(ids) == written


async def test_session_that_is_ended_is_opened_again_within_seconds(ground: Ground) -> None:
    async with Sender(ground, "only").running() as sender, writing(ground) as written:
        await eventually(in_charge(ground, "only"))
        await ground.sql.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1",
            f"{ground.name}-only-dedicated",
        )
        ended = time.monotonic()
        await eventually(in_charge(ground, "only"), seconds=TAKEN_OVER_SECONDS_MAX + 1)
        assert time.monotonic() - ended < TAKEN_OVER_SECONDS_MAX
        before = len(written)
        await eventually(lambda: len(written) > before + 50)

        async def good() -> bool:
            return (await sender.relay.check()).ok

        await eventually(good)
    async with Sender(ground, "last").running():
        await _drained(ground)
        ids = event_ids(await ground.topic.records())
    assert first_copies(ids) == written
