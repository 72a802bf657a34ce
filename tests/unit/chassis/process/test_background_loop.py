"""A loop outlives its failures, says so while it fails, and stops when asked, whatever it is doing."""

import asyncio

import pytest

from chassis.process import component
from chassis.process.component import RESTART_SECONDS, BackgroundLoop, LoopComponent, pause
from harness.waiting import eventually


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that loops wanted to wait; they do not wait."""
    wanted: list[float] = []

    async def no_wait(_stopping: asyncio.Event, seconds: float) -> None:
        wanted.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(component, "pause", no_wait)
    return wanted


async def test_failing_loop_is_begun_again_with_growing_waits(waits: list[float]) -> None:
    async def run(stopping: asyncio.Event) -> None:
        if len(waits) == 8:
            stopping.set()
            return
        raise ConnectionError("away")

    loop = BackgroundLoop("sample", run)
    await loop.start()
    await eventually(lambda: len(waits) == 8)
    await loop.stop()
    assert waits == [*RESTART_SECONDS, *[RESTART_SECONDS[-1]] * (8 - len(RESTART_SECONDS))]


async def test_first_failure_after_recovery_waits_shortly_again(waits: list[float]) -> None:
    async def run(stopping: asyncio.Event) -> None:
        if len(waits) == 5:
            loop.recovered()
        if len(waits) == 6:
            stopping.set()
            return
        raise ConnectionError("away")

    loop = BackgroundLoop("sample", run)
    await loop.start()
    await eventually(lambda: len(waits) == 6)
    await loop.stop()
    assert waits[4:] == [RESTART_SECONDS[4], RESTART_SECONDS[0]]


async def test_check_tells_the_failure_until_a_round_went_well() -> None:
    fail, went_well = asyncio.Event(), asyncio.Event()
    fail.set()

    async def run(stopping: asyncio.Event) -> None:
        if fail.is_set():
            raise ConnectionError("away")
        loop.recovered()
        went_well.set()
        await stopping.wait()

    loop = BackgroundLoop("sample", run)
    await loop.start()

    async def failing() -> bool:
        return not (await loop.check()).ok

    await eventually(failing)
    assert (await loop.check()).detail == "ConnectionError: away"
    fail.clear()
    async with asyncio.timeout(5):
        await went_well.wait()
    assert (await loop.check()).ok
    await loop.stop()


async def test_stop_while_waiting_to_begin_again_returns_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component, "RESTART_SECONDS", (600.0,))
    failed = asyncio.Event()

    async def run(_stopping: asyncio.Event) -> None:
        failed.set()
        raise ConnectionError("away")

    loop = BackgroundLoop("sample", run)
    await loop.start()
    async with asyncio.timeout(5):
        await failed.wait()
        await loop.stop()


async def test_stop_waits_for_the_round_in_hand() -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    finished: list[bool] = []

    async def run(_stopping: asyncio.Event) -> None:
        begun.set()
        await finish.wait()
        finished.append(True)

    loop = BackgroundLoop("sample", run)
    await loop.start()
    async with asyncio.timeout(5):
        await begun.wait()
        stop = asyncio.create_task(loop.stop())
        done, _ = await asyncio.wait([stop], timeout=0.05)
        assert not done
        finish.set()
        await stop
    assert finished == [True]


async def test_stop_given_up_cancels_the_round_in_hand() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def run(_stopping: asyncio.Event) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    loop = BackgroundLoop("sample", run)
    await loop.start()
    await begun.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await loop.stop()
    async with asyncio.timeout(5):
        await cancelled.wait()


async def test_stop_before_start_does_nothing() -> None:
    async def run(_stopping: asyncio.Event) -> None:
        raise AssertionError("never begun")

    await BackgroundLoop("sample", run).stop()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("is_vital", [True, False])
async def test_component_is_unhealthy_while_its_loop_fails_if_it_is_vital(is_vital: bool) -> None:
    class Sample(LoopComponent):
        name = "sample"

        async def _run(self, stopping: asyncio.Event) -> None:
            del stopping
            raise ConnectionError("away")

    sample = Sample()
    sample.is_vital = is_vital
    await sample.start()

    async def failed() -> bool:
        return "away" in (await sample.check()).detail

    await eventually(failed)
    assert (await sample.check()).ok is not is_vital
    await sample.stop()


async def test_pause_ends_early_when_a_stop_is_asked_for() -> None:
    stopping = asyncio.Event()
    stopping.set()
    async with asyncio.timeout(5):
        await pause(stopping, 600)
        await pause(asyncio.Event(), 0.001)
