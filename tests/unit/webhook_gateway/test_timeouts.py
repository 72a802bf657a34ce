"""Waits of one length: each ends in time, by its own fault only, and leaves nothing behind."""

import asyncio
import gc
import weakref
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_gateway.adapters.timeouts import Timeouts, shared_timeout

SHORT, LONG = 0.02, 60.0


async def wait_for(timeouts: Timeouts, event: asyncio.Event) -> str:
    try:
        async with timeouts.begin():
            await event.wait()
    except TimeoutError:
        return "timed out"
    return "in time"


async def test_wait_that_lasts_too_long_ends() -> None:
    assert await wait_for(Timeouts(SHORT), asyncio.Event()) == "timed out"


async def test_wait_that_ends_by_itself_is_left_alone_ever_after() -> None:
    timeouts, event = Timeouts(SHORT), asyncio.Event()
    event.set()
    assert await wait_for(timeouts, event) == "in time"
    assert await wait_for(timeouts, asyncio.Event()) == "timed out", "the next has its own time"


async def test_cancelling_from_outside_is_no_timeout() -> None:
    task = asyncio.create_task(wait_for(Timeouts(LONG), asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_counts_even_when_the_time_is_up_in_the_same_turn() -> None:
    timeouts = Timeouts(LONG)
    task = asyncio.create_task(wait_for(timeouts, asyncio.Event()))
    await asyncio.sleep(0)
    next(iter(timeouts._waits)).interrupt()  # pyright: ignore[reportPrivateUsage] - as its timer would
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_errors_pass() -> None:
    with pytest.raises(KeyError):
        async with shared_timeout(LONG):
            raise KeyError


def test_only_a_task_can_wait() -> None:
    async def run() -> None:
        asyncio.get_running_loop().call_soon(attempt)
        await asyncio.sleep(0)

    def attempt() -> None:
        with pytest.raises(RuntimeError, match="only a task"):
            Timeouts(LONG).begin()
        tried.append(True)

    tried: list[bool] = []
    asyncio.run(run())
    assert tried


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.randoms())
def test_each_of_many_waits_gets_its_own_end(in_time: list[bool], random: Random) -> None:
    async def run() -> None:
        timeouts, events = Timeouts(SHORT), [asyncio.Event() for _ in in_time]
        waits = [asyncio.create_task(wait_for(timeouts, event)) for event in events]
        await asyncio.sleep(0)
        ending = [event for event, is_in_time in zip(events, in_time, strict=True) if is_in_time]
        random.shuffle(ending)
        for event in ending:
            event.set()
        assert await asyncio.gather(*waits) == ["in time" if each else "timed out" for each in in_time]
        assert not timeouts._waits  # pyright: ignore[reportPrivateUsage]

    asyncio.run(run())


def test_wait_ends_in_time_in_a_later_loop_too() -> None:
    timeouts = Timeouts(SHORT)
    finished = asyncio.Event()
    finished.set()
    assert asyncio.run(wait_for(timeouts, finished)) == "in time", "the timer goes with its loop"
    assert asyncio.run(wait_for(timeouts, asyncio.Event())) == "timed out"


async def test_one_timer_serves_waits_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts, finished, timers = Timeouts(LONG), asyncio.Event(), list[float]()
    finished.set()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_at", lambda at, *_: timers.append(at))
    for _ in range(10):
        assert await wait_for(timeouts, finished) == "in time"
    assert len(timers) == 1


async def test_slow_wait_keeps_neither_waits_nor_tasks_behind_it() -> None:
    timeouts, stuck, finished = Timeouts(LONG), asyncio.Event(), asyncio.Event()
    slow = asyncio.create_task(wait_for(timeouts, stuck))
    await asyncio.sleep(0)
    finished.set()
    for _ in range(100):
        assert await wait_for(timeouts, finished) == "in time"
    assert len(timeouts._waits) == 1  # pyright: ignore[reportPrivateUsage]
    # Two that overlap, the later one being slow too: what lies between two slow ones holds no task.
    between = asyncio.create_task(wait_for(timeouts, between_ends := asyncio.Event()))
    await asyncio.sleep(0)
    later = asyncio.create_task(wait_for(timeouts, stuck))
    await asyncio.sleep(0)
    between_ends.set()
    await between  # outside of an assert, which would keep it
    held = weakref.ref(between)
    del between
    await asyncio.sleep(0)  # what woke this task up holds it, too
    gc.collect()
    assert held() is None
    stuck.set()
    assert [await slow, await later] == ["in time", "in time"]
    assert not timeouts._waits  # pyright: ignore[reportPrivateUsage]
