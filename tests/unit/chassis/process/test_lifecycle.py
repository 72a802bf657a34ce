"""Parts start in order with patience, stop in reverse in bounded time; a failed start ends the process."""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from chassis.process import lifecycle as chassis_lifecycle
from chassis.process.health import Check, Health
from chassis.process.lifecycle import Lifecycle
from chassis.settings import ServiceSettings
from harness.ports import free_port
from harness.waiting import eventually

SAMPLE = Path(__file__).parent / "sample_service.py"


class Recorder:
    """A component that records its calls."""

    def __init__(self, name: str, journal: list[str], *, failures: int = 0) -> None:
        self.name = name
        self._journal = journal
        self._failures = failures
        self.stop_error: Exception | None = None
        self.stop_forever = False

    async def start(self) -> None:
        self._journal.append(f"start {self.name}")
        if self._failures > 0:
            self._failures -= 1
            raise ConnectionRefusedError("not yet")

    async def stop(self) -> None:
        self._journal.append(f"stop {self.name}")
        if self.stop_forever:
            await asyncio.Event().wait()
        if self.stop_error is not None:
            raise self.stop_error

    async def check(self) -> Check:
        return Check(ok=True)


@pytest.fixture(autouse=True)
def _collector_as_before(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setattr(chassis_lifecycle, "START_BACK_OFF_SECONDS", (0.01,))
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def drive(*components: Recorder, **limits: int) -> tuple[Lifecycle, Health]:
    health = Health()
    settings = ServiceSettings.model_validate({"kafka_bootstrap": "127.0.0.1:1", **limits})
    return Lifecycle(settings, components, health), health


async def is_ready(health: Health) -> bool:
    return (await health.report())[0]


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    journal: list[str] = []
    lifecycle, health = drive(*(Recorder(name, journal) for name in "abc"))
    async with lifecycle.lifespan(Litestar()):
        await eventually(lambda: is_ready(health))
        assert journal == ["start a", "start b", "start c"]
    assert journal[3:] == ["stop c", "stop b", "stop a"]
    assert not await is_ready(health)


async def test_part_that_is_not_ready_is_tried_again_and_the_next_waits() -> None:
    journal: list[str] = []
    lifecycle, health = drive(Recorder("a", journal, failures=3), Recorder("b", journal))
    async with lifecycle.lifespan(Litestar()):
        await eventually(lambda: is_ready(health))
    assert journal == [*["start a"] * 4, "start b", "stop b", "stop a"]


async def test_start_beyond_its_limit_is_given_up_and_said() -> None:
    journal: list[str] = []
    lifecycle, health = drive(
        Recorder("a", journal), Recorder("b", journal, failures=10**9), start_seconds_max=1
    )
    async with lifecycle.lifespan(Litestar()):
        async with asyncio.timeout(10):
            await lifecycle.failed.wait()
        assert not await is_ready(health)
    assert journal[-2:] == ["stop b", "stop a"]


async def test_stop_during_start_stops_only_what_was_begun() -> None:
    journal: list[str] = []
    lifecycle, _ = drive(Recorder("a", journal, failures=10**9), Recorder("b", journal))
    async with lifecycle.lifespan(Litestar()):
        await eventually(lambda: len(journal) > 2)
    assert "start b" not in journal
    assert journal[-1] == "stop a"
    assert not lifecycle.failed.is_set()


async def test_part_that_fails_or_hangs_in_stop_does_not_keep_the_others() -> None:
    journal: list[str] = []
    first, broken, hanging = (Recorder(name, journal) for name in "abc")
    broken.stop_error = RuntimeError("cannot")
    hanging.stop_forever = True
    lifecycle, health = drive(first, broken, hanging, stop_seconds_max=1)
    async with asyncio.timeout(10):
        async with lifecycle.lifespan(Litestar()):
            await eventually(lambda: is_ready(health))
    assert journal[3:] == ["stop c", "stop b", "stop a"]


def sample(starter: str, port: int, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, SAMPLE],
        env={
            "PATH": os.environ["PATH"],
            "KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "STARTER": starter,
            "PORT": str(port),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def answer(url: str) -> httpx.Response | None:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        try:
            return await client.get(url)
        except httpx.TransportError:
            return None


async def test_process_that_cannot_start_is_alive_not_ready_and_ends_with_one() -> None:
    port = free_port()
    process = sample("never", port, START_SECONDS_MAX="3")
    try:
        live = await eventually(lambda: answer(f"http://127.0.0.1:{port}/health/live"))
        ready = await answer(f"http://127.0.0.1:{port}/health/ready")
        assert live is not None
        assert live.status_code == 200
        assert ready is not None
        assert ready.status_code == 503
        assert ready.json()["checks"]["started"] == {
            "ok": False,
            "detail": "starting; starter: no such server",
        }
        assert await asyncio.to_thread(process.wait, 20) == 1
        assert "starter stopped" in process.stdout.read()
    finally:
        process.kill()
        process.communicate()


def test_process_whose_port_is_taken_names_the_address_and_ends_with_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = sample("now", port)
        told, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    (line,) = told.splitlines()
    said = json.loads(line)
    assert (said["event"], said["addresses"]) == ("cannot listen", [f"127.0.0.1:{port}"])
    assert said["error"].startswith("address already in use")
    assert said["error"].endswith("; stop what listens there, or correct the settings of host and port")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_process_told_to_end_stops_its_parts_and_ends_with_zero(number: signal.Signals) -> None:
    port = free_port()
    process = sample("now", port)
    try:

        async def ready() -> bool:
            response = await answer(f"http://127.0.0.1:{port}/health/ready")
            return response is not None and response.status_code == 200

        await eventually(ready)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert "starter stopped" in process.stdout.read()
    finally:
        process.kill()
        process.communicate()
