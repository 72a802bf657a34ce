"""Another relay takes over the shards of a silent one within seconds, and no event is lost (F3, F4)."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest

from chassis.messaging.outbox import SHARDS
from chassis.postgres.advisory_locks import OUTBOX_RELAY
from chassis.relay import foreign_locks
from chassis.relay.component import SESSION_SETTINGS
from chassis.relay.shards import Shards
from harness import eventually
from integration.chassis.ground import Ground, Sender, append, event, event_ids

TAKEN_OVER_SECONDS_MAX = 5.0
STARTED_SECONDS_MAX = 30.0
BETWEEN_EVENTS_SECONDS = 0.005
_OWNED = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = $1 AND objid < $2 AND granted AND application_name = $3
"""


def in_charge(ground: Ground, name: str, *, shards: int = SHARDS) -> Callable[[], Awaitable[bool]]:
    """Return a condition: the relay owns so many shards."""

    async def owns() -> bool:
        return await owned(ground, name) == [shards]

    return owns


async def owned(ground: Ground, *names: str) -> list[int]:
    """Return how many shards each of these relays owns."""
    sessions = [f"{ground.name}-{name}-dedicated" for name in names]
    return [await ground.sql.fetchval(_OWNED, OUTBOX_RELAY, SHARDS, session) for session in sessions]


@contextmanager
def relay_process(ground: Ground) -> Generator[Callable[[signal.Signals], None]]:
    """Run a relay in its own process. Yield a function that sends a signal to it."""
    process = ground.start_process("relay/relay_process.py")
    try:
        yield lambda number: os.kill(process.pid, number)
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def writing(ground: Ground, *, key: str = "k") -> AsyncGenerator[list[str]]:
    """Write events inside the block. Yield the ids of the committed ones."""
    database = ground.database("writer")
    await database.start()
    written: list[str] = []
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            await append(database, [event(len(written), key=key)])
            written.append(f"{key}:{len(written)}")
            await asyncio.sleep(BETWEEN_EVENTS_SECONDS)

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
            await eventually(in_charge(ground, "process", shards=SHARDS // 2), seconds=STARTED_SECONDS_MAX)
            await eventually(in_charge(ground, "standby", shards=SHARDS // 2))
            await eventually(lambda: len(written) > 50)
            send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            await eventually(in_charge(ground, "standby"), seconds=TAKEN_OVER_SECONDS_MAX + 1)
            assert time.monotonic() - stopped < TAKEN_OVER_SECONDS_MAX
            before = len(written)
            await eventually(lambda: len(written) > before + 50)
            send_signal(signal.SIGCONT)
            await eventually(in_charge(ground, "process", shards=SHARDS // 2), seconds=STARTED_SECONDS_MAX)
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


async def test_three_relays_share_evenly_and_the_rest_shares_what_one_leaves(ground: Ground) -> None:
    async with Sender(ground, "one").running(), Sender(ground, "two").running():
        async with Sender(ground, "three").running():

            async def shared_evenly() -> bool:
                return sorted(await owned(ground, "one", "two", "three")) == [4, 6, 6]

            await eventually(shared_evenly)
        for name in ("one", "two"):
            await eventually(in_charge(ground, name, shards=SHARDS // 2), seconds=TAKEN_OVER_SECONDS_MAX)


async def test_shards_are_released_only_once_nothing_is_in_doubt(ground: Ground) -> None:
    """A record without an ack may still arrive, after those of the next owner."""
    database = ground.database()
    await database.start()
    first, second = Shards(await database.dedicated()), Shards(await database.dedicated())
    await first.join()
    await first.rebalance(may_release=True)
    await second.join()
    await first.rebalance(may_release=False)
    assert len(first.owned) == SHARDS
    await first.rebalance(may_release=True)
    await second.rebalance(may_release=True)
    assert (len(first.owned), len(second.owned)) == (SHARDS // 2, SHARDS // 2)
    for shards in (first, second):
        shards._session.terminate()
    await database.stop()


async def test_foreign_locks_on_shards_are_reported(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_locks, "UNOWNED_SECONDS_MAX", 1.0)
    async with ground.sql.connect(ground.role) as other:
        pid = await other.fetchval("SELECT pg_backend_pid()")
        await other.execute(
            "SELECT pg_advisory_lock($1, shard) FROM generate_series(1, 15) AS shard", OUTBOX_RELAY
        )
        async with Sender(ground, "only").running() as sender:

            async def problem() -> str:
                check = await sender.relay.check()
                assert not check.ok
                return check.detail

            assert await eventually(problem) == (
                f"no relay owns 15 of {SHARDS} shards, their events wait:"
                f" pid {pid} (role {ground.role}, no name) holds 15"
            )
            assert "sample_outbox_unowned_shards 15.0" in sender.exposed()
            await other.execute("SELECT pg_advisory_unlock_all()")

            async def good() -> bool:
                return (await sender.relay.check()).ok

            await eventually(good)
            assert "sample_outbox_unowned_shards 0.0" in sender.exposed()


LARGE = "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"


@pytest.mark.parametrize("prepared", [True, False])
async def test_relay_stopped_within_a_query_loses_its_shards(ground: Ground, *, prepared: bool) -> None:
    """Its session is not idle: the server waits for its client. Other relays end the session."""
    unread = await ground.database("unread").dedicated(**SESSION_SETTINGS)
    shards = Shards(unread)
    await shards.join()
    await shards.rebalance(may_release=True)
    assert len(shards.owned) == SHARDS
    ask = (await unread.prepare(LARGE)).fetch if prepared else partial(unread.fetch, LARGE)
    unread._transport.pause_reading()
    asking = asyncio.create_task(ask())
    try:
        async with Sender(ground, "other").running():
            await eventually(in_charge(ground, "other"), seconds=TAKEN_OVER_SECONDS_MAX + 10)
    finally:
        unread.terminate()
        await asyncio.gather(asking, return_exceptions=True)
